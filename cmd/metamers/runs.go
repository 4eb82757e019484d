package main

import (
	"fmt"
	"os"
	"strings"
)

type runsCmd struct {
	List runsListCmd `cmd:"" default:"withargs" help:"List the runs, newest first."`
	Show runsShowCmd `cmd:"" help:"Show a run (a prefix of its ID is enough)."`
	Rm   runsRmCmd   `cmd:"" help:"Remove runs."`
}

type runsListCmd struct{ storeFlag }

func (c runsListCmd) Run() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	ids, err := s.IDs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		run, err := s.Load(id)
		if err != nil {
			fmt.Println(id, err)
			continue
		}
		r := run.Recipe
		fmt.Printf("%s  %-32s %-7s %-14s %5d steps %-8s %2d of %d pass\n", id, strings.Join(r.ModelNames(), "+"), r.Stage, r.Images.Name, run.StepsRun, r.Optimizer.Name, run.PassCount(), r.Images.Count)
	}
	if len(ids) == 0 {
		fmt.Fprintln(os.Stderr, "no runs in", s.Dir)
	}
	return nil
}

type runsShowCmd struct {
	ID string `arg:""`
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
	return report(g, run)
}

type runsRmCmd struct {
	ID []string `arg:""`
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
