package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

type runsCmd struct {
	List   runsListCmd   `cmd:"" default:"withargs" help:"List the runs, newest first."`
	Show   runsShowCmd   `cmd:"" help:"Show a run (a prefix of its ID is enough)."`
	Verify runsVerifyCmd `cmd:"" help:"Read every byte of the runs and say which are what was written."`
	GC     runsGCCmd     `cmd:"" name:"gc" help:"Remove what killed processes left: temporary and half-written files, locks that nobody holds."`
	Export runsExportCmd `cmd:"" help:"Write runs as an archive for publication (RO-Crate)."`
	Import runsImportCmd `cmd:"" help:"Take up the runs of such an archive."`
	Rm     runsRmCmd     `cmd:"" help:"Remove runs."`
}

type runsListCmd struct{ storeFlag }

func (c runsListCmd) Run(g *globals) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	ids, err := s.IDs()
	if err != nil {
		return err
	}
	type row struct {
		ID     string
		Recipe *metamer.Recipe `json:",omitempty"`
		Steps  int
		Passed int
		Error  string `json:",omitempty"`
	}
	rows := []row{}
	for _, id := range ids {
		run, err := s.Load(id)
		if err != nil {
			rows = append(rows, row{ID: id, Error: err.Error()})
			if !g.JSON {
				fmt.Println(id, err)
			}
			continue
		}
		r := run.Recipe
		rows = append(rows, row{ID: id, Recipe: &r, Steps: run.StepsRun, Passed: run.PassCount()})
		if g.JSON {
			continue
		}
		fmt.Printf("%s  %-32s %-7s %-14s %5d steps %-8s %2d of %d pass\n", id, strings.Join(r.ModelNames(), "+"), r.Stage, r.Images.Name, run.StepsRun, r.Optimizer.Name, run.PassCount(), r.Images.Count)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	if len(ids) == 0 {
		fmt.Fprintln(os.Stderr, "no runs in", s.Where())
	}
	return nil
}

type runsShowCmd struct {
	ID string `arg:"" predictor:"run"`
	storeFlag
}

func (c runsShowCmd) Run(g *globals) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	id, err := s.Resolve(c.ID)
	if err != nil {
		return err
	}
	run, err := s.Load(id)
	if err != nil {
		return err
	}
	run.Cached = true
	return report(g, run, nil)
}

type runsRmCmd struct {
	ID []string `arg:"" predictor:"run"`
	storeFlag
}

func (c runsRmCmd) Run() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	for _, prefix := range c.ID {
		id, err := s.Resolve(prefix)
		if err != nil {
			return err
		}
		if err := s.Remove(id); err != nil {
			return err
		}
		fmt.Println("removed", id)
	}
	return nil
}
