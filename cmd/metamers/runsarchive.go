package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

type runsExportCmd struct {
	ID []string `arg:"" optional:"" help:"IDs of the runs (default: all)." predictor:"run"`
	storeFlag
	To          string   `required:"" help:"Archive to write." type:"path" placeholder:"FILE.zip"`
	Name        string   `help:"Title of the archive."`
	Description string   `help:"Description of the archive (default: its model sets and stages)."`
	License     string   `help:"Licence of the archive: a URL or a name." placeholder:"URL"`
	Author      []string `help:"Author. Repeat the flag for several authors." sep:"none" placeholder:"NAME"`
}

func (c *runsExportCmd) Help() string {
	return `The archive is an RO-Crate 1.1 (researchobject.org): recipes, metamers, match
statistics, traces, previews, cached rows, software versions and the SHA-256 of every
file. Reference images are identified by their SHA-256 and are not included. On another
machine, check the archive with "metamers runs verify --archive FILE.zip" and import it
with "metamers runs import FILE.zip"; "metamers eval" can then evaluate it again.`
}

func (c *runsExportCmd) Run(ctx context.Context, g *globals) error {
	if err := paths.CheckFile(c.To); err != nil {
		return err
	}
	s, err := openFound(c.Store)
	if err != nil {
		return err
	}
	ids, err := chosen(s, c.ID)
	if err != nil {
		return err
	}
	if err := s.Export(ctx, c.To, ids, runs.Crate{Name: c.Name, Description: c.Description, License: c.License, Authors: c.Author}); err != nil {
		return err
	}
	info, err := os.Stat(c.To)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			File  string
			Runs  []string
			Bytes int64
		}{c.To, ids, info.Size()})
	}
	fmt.Printf("%d runs, %s: %s\n", len(ids), humanSize(info.Size()), c.To)
	return nil
}

type runsImportCmd struct {
	Archive string `arg:"" help:"Archive written by metamers runs export." type:"existingfile" placeholder:"FILE.zip"`
	storeFlag
}

func (c *runsImportCmd) Run(ctx context.Context, g *globals) error {
	s, err := openStore(c.Store)
	if err != nil {
		return err
	}
	a, err := runs.OpenArchive(c.Archive)
	if err != nil {
		return err
	}
	defer a.Close()
	type row struct {
		ID  string
		New bool
	}
	rows := []row{}
	for _, id := range a.IDs() {
		isNew, err := s.Import(ctx, a, id)
		if err != nil {
			return err
		}
		rows = append(rows, row{id, isNew})
		if !g.JSON {
			fmt.Println(id, map[bool]string{true: "imported", false: "already stored"}[isNew])
		}
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	return nil
}
