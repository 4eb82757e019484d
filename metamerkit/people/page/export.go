package page

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Hosts are the services that Export makes files for.
var Hosts = []string{"jatos", "datapipe", "pavlovia", "cognition.run"}

// Export writes an experiment's page, without data, as a host wants it: for JATOS a study
// archive (.jzip), else a new folder. id is the experiment's ID at DataPipe.
func Export(folder, host, id, out string) error {
	d, err := people.Load(folder)
	if err != nil {
		return err
	}
	if (host == "datapipe") != (id != "") {
		return fmt.Errorf("experiment: --id %q with host %s: expected the experiment's ID for datapipe, and none for other hosts", id, host)
	}
	files := map[string][]byte{}
	for name := range Served(d) {
		if files[name], err = paths.ReadFile(filepath.Join(folder, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
	}
	files["jspsych/LICENSE"], files["jspsych/SHA256SUMS"] = license(), sums()
	settings := map[string]string{"save": host}
	switch host {
	case "jatos":
		files["settings.js"] = settingsFile(settings)
		return study(d, files, out)
	case "datapipe":
		settings["experiment"] = id
	case "pavlovia":
	case "cognition.run":
		return newFolder(out, task(d, files))
	default:
		return fmt.Errorf("experiment: host %q, expected one of %s", host, strings.Join(Hosts, ", "))
	}
	files["settings.js"] = settingsFile(settings)
	return newFolder(out, files)
}

func settingsFile(settings map[string]string) []byte {
	return slices.Concat([]byte("// Where the data go: see hosts.js.\nwindow.settings = "), bytes.TrimSpace(encode(settings)), []byte(";\n"))
}

// task makes the files of a task of cognition.run: task.js to paste as its source, external
// to upload as external JavaScript and CSS, stimuli to upload as stimuli. There images have
// no folder.
func task(d *people.Design, files map[string][]byte) map[string][]byte {
	out, flat := map[string][]byte{}, *d
	move := func(f *people.File) {
		name := path.Base(f.Path)
		out["stimuli/"+name] = files[f.Path]
		f.Path = name
	}
	flat.Stimuli, flat.Masks = slices.Clone(d.Stimuli), slices.Clone(d.Masks)
	for i := range flat.Masks {
		move(&flat.Masks[i])
	}
	for i := range flat.Stimuli {
		s := &flat.Stimuli[i]
		move(&s.File)
		if s.Other != nil {
			other := *s.Other
			move(&other.File)
			s.Other = &other
		}
	}
	for _, p := range jsPsych {
		if strings.HasPrefix(p.name, "plugin-") {
			out["external/"+p.name] = files["jspsych/"+p.name]
		}
	}
	out["external/LICENSE"], out["external/experiment.css"] = files["jspsych/LICENSE"], files["experiment.css"]
	out["task.js"] = slices.Concat(settingsFile(map[string]string{"save": "jspsych"}), files["session.js"], script(flat.Encode(), d.SHA256()),
		files["rows.js"], files["hosts.js"], files["trial.js"], files["experiment.js"])
	return out
}

// study writes the archive of a JATOS study: a folder, and a description with the same
// name. The UUIDs come from the design, so that JATOS knows an archive that it has.
func study(d *people.Design, files map[string][]byte, out string) error {
	if filepath.Ext(out) != ".jzip" {
		return fmt.Errorf("experiment: --out %s: expected a name that ends in .jzip, which JATOS imports", out)
	}
	name := "metamers-" + d.SHA256()[:8]
	uuid := func(part int) string {
		h := d.SHA256()
		return fmt.Sprintf("%s-%s-8%s-8%s-%s%d", h[:8], h[8:12], h[12:15], h[15:18], h[18:29], part)
	}
	type entry map[string]any
	described, err := json.MarshalIndent(struct {
		Version string `json:"version"`
		Data    entry  `json:"data"`
	}{"3", entry{
		"uuid": uuid(0), "title": d.Title, "description": "Design " + d.SHA256(), "dirName": name,
		"groupStudy": false, "linearStudy": false, "allowPreview": false, "comments": nil, "jsonData": nil, "endRedirectUrl": nil, "studyEntryMsg": nil,
		"componentList": []entry{{"uuid": uuid(1), "title": d.Title, "htmlFilePath": "index.html", "reloadable": true, "active": true, "comments": nil, "jsonData": nil}},
		"batchList": []entry{{"uuid": uuid(2), "title": "Default", "active": true, "maxActiveMembers": nil, "maxTotalMembers": nil, "maxTotalWorkers": nil,
			"allowedWorkerTypes": []string{"Jatos", "PersonalSingle", "PersonalMultiple", "GeneralSingle", "GeneralMultiple", "MT"}, "comments": nil, "jsonData": nil}},
	}}, "", "  ")
	if err != nil {
		return err
	}
	all := map[string][]byte{name + ".jas": described}
	for file, data := range files {
		all[name+"/"+file] = data
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, file := range slices.Sorted(maps.Keys(all)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: file, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = w.Write(all[file])
		}
		if err != nil {
			return fmt.Errorf("experiment: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	return paths.WriteBytes(out, b.Bytes())
}
