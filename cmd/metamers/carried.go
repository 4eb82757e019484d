package main

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/models/trained"
	"github.com/ensemble-metamers/metamers/testdata/photos"
	"github.com/ensemble-metamers/metamers/testdata/scenes"
)

// carriedCmd completes the sources that a wheel brings: weights and photographs are in the
// wheel only once, in this program.
type carriedCmd struct {
	Folder string `arg:"" help:"Folder of the sources."`
}

// Run writes the files to where they are in the repository.
func (c *carriedCmd) Run() error {
	for dir, files := range map[string]fs.FS{"models/trained": trained.Files, "testdata/photos": photos.Files, "testdata/scenes": scenes.Files} {
		if err := os.CopyFS(filepath.Join(c.Folder, filepath.FromSlash(dir)), files); err != nil {
			return err
		}
	}
	return nil
}
