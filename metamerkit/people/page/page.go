// Package page writes the folder of an experiment: a web page on jsPsych with all that it
// needs, which works from a file and from any static server, the design, and descriptions
// of stimuli and data for other programs.
package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

//go:embed files
var files embed.FS

// pageFiles are those of this package that a browser loads.
var pageFiles = []string{"index.html", "experiment.css", "experiment.js", "trial.js", "rows.js", "hosts.js", "settings.js", "session.js"}

// Served lists the files of an experiment's folder that a browser may load. The design as
// a script is among them, the data are not.
func Served(d *people.Design) map[string]bool {
	out := map[string]bool{"design.js": true}
	for _, name := range pageFiles {
		out[name] = true
	}
	for _, p := range jsPsych {
		out["jspsych/"+p.name] = true
	}
	for _, s := range d.Stimuli {
		out[s.Path] = true
		if s.Other != nil {
			out[s.Other.Path] = true
		}
	}
	for _, m := range d.Masks {
		out[m.Path] = true
	}
	return out
}

// Make designs an experiment (see people.New) and writes its folder. jsPsych names a folder
// with the files of jsPsych; "": they are downloaded once.
func Make(ctx context.Context, folder string, d people.Design, s people.Source, jsPsych string) (*people.Design, error) {
	design, images, err := people.New(d, s)
	if err != nil {
		return nil, err
	}
	js, err := JSPsych(ctx, jsPsych)
	if err != nil {
		return nil, err
	}
	return design, Write(folder, design, images, js)
}

// script is a design as the page reads it.
func script(design []byte, sha256 string) []byte {
	return slices.Concat([]byte("window.designSHA256 = \""+sha256+"\";\nwindow.design = "), bytes.TrimSpace(design), []byte(";\n"))
}

// Write makes the folder of an experiment, which must not exist or be empty. images are
// the files of people.New, jsPsych those of JSPsych. The folder is there whole or not at
// all.
func Write(folder string, d *people.Design, images, jsPsych map[string][]byte) (err error) {
	all := map[string][]byte{}
	maps.Copy(all, images)
	for _, name := range pageFiles {
		if all[name], err = files.ReadFile("files/" + name); err != nil {
			return err
		}
	}
	for name, data := range jsPsych {
		all["jspsych/"+name] = data
	}
	all["jspsych/LICENSE"], all["jspsych/SHA256SUMS"] = license(), sums()
	design := d.Encode()
	all[people.DesignName] = design
	all["design.js"] = script(design, d.SHA256())
	for name, data := range describe(d) {
		all[name] = data
	}
	return newFolder(folder, all, "data")
}

// newFolder writes files into a folder that does not exist or is empty, and makes folders
// in it.
func newFolder(folder string, files map[string][]byte, folders ...string) error {
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return fmt.Errorf("experiment: %s exists and is not empty: --out names a new folder", folder)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("experiment: %w", err)
	}
	parent := filepath.Dir(filepath.Clean(folder))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, ".experiment-*")
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	defer os.RemoveAll(tmp)
	for name, data := range files {
		p := filepath.Join(tmp, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, data, 0o644)); err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
	}
	for _, name := range folders {
		if err := os.Mkdir(filepath.Join(tmp, name), 0o755); err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("experiment: %w", err)
	}
	if err := os.Rename(tmp, folder); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	return nil
}
