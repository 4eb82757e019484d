package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// distortionsFile is distortions.json, and the folder that it lies in.
type distortionsFile struct {
	Settings distortionSettings
	Images   []api.Distortions // those done

	dir string
}

// distortionSettings are all that the directions depend on besides the models' files.
type distortionSettings struct {
	Models    []string
	Stage     string
	Set       string // of images
	SHA256    string // of its pixels
	Size      int    // pixels a side
	Products  int
	Tolerance float64
	Floor     float64
	Seed      uint64
}

// openDistortions makes the folder, or reads what it has of the same request.
func openDistortions(dir string, q api.Distorting) (*distortionsFile, error) {
	f := &distortionsFile{dir: dir, Settings: distortionSettings{q.Models, q.Stage, q.Images.Name, q.Images.SHA256(), q.Images.Size, q.Products, q.Tolerance, q.Floor, q.Seed}}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	data, err := paths.ReadFile(f.path("distortions.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	} else if err != nil {
		return nil, err
	}
	var was distortionsFile
	if err := json.Unmarshal(data, &was); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path("distortions.json"), err)
	}
	ours, err := json.Marshal(f.Settings)
	if err != nil {
		return nil, err
	}
	if theirs, err := json.Marshal(was.Settings); err != nil || string(ours) != string(theirs) {
		return nil, fmt.Errorf("%s has the distortions of %s: expected those of %s, or another folder", dir, theirs, ours)
	}
	for i := range was.Images {
		if err := study.ReadDirections(f.arrays(i), f.Settings.Size, &was.Images[i]); err != nil {
			break // made again from here
		}
		f.Images = append(f.Images, was.Images[i])
	}
	return f, nil
}

func (f *distortionsFile) path(name string) string { return filepath.Join(f.dir, name) }

// arrays is the file with the directions of image i.
func (f *distortionsFile) arrays(i int) string { return f.path(fmt.Sprintf("%03d.npz", i)) }

// add keeps what was found for the next image.
func (f *distortionsFile) add(d api.Distortions) error {
	if err := study.WriteDirections(f.arrays(len(f.Images)), f.Settings.Size, &d); err != nil {
		return err
	}
	f.Images = append(f.Images, d)
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return paths.WriteBytes(f.path("distortions.json"), append(data, '\n'))
}

// draw writes the sheet.
func (f *distortionsFile) draw(refs *images.Set, rms float64) error {
	m, err := figures.DistortionSheet(refs, f.Settings.Stage, f.Images, rms)
	if err != nil {
		return err
	}
	return images.WriteImage(f.path("sheet.png"), m)
}
