package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/benchmark"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

type benchmarkCmd struct {
	Plan string `arg:"" help:"Plan: a YAML file such as bench/fast.yaml." type:"existingfile"`
	storeFlag
	Out string `help:"Output folder for the table and the figure." default:"benchmark" type:"path"`
}

func (c *benchmarkCmd) Help() string {
	return `Synthesises metamers with several methods at equal numbers of gradient evaluations. A
table gives losses, the number of evaluations to reach the first method's loss, the
fraction of images that pass, and recognizability by other models; a figure shows the
losses. After Ctrl-C the same command resumes.

A plan:
  images: cifar10:16
  sets: [[resnet2b, resnet4b]]
  evaluations: 600
  methods:
    - {name: pgd, settings: {optimizer: {name: pgd}}}
    - {name: fast, settings: {optimizer: {name: fast}}}`
}

func (c *benchmarkCmd) Run(ctx context.Context, g *globals) error {
	p, err := benchmark.Load(c.Plan)
	if err != nil {
		return err
	}
	store, err := c.storeFlag.open()
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	shown := newBar(g, "", nil)
	shown.note(fmt.Sprintf("%s: %s; %s of %s at %s", p.Name, p.Images, english.Plural(len(p.Methods), "method", ""), english.Plural(len(p.Sets), "model set", ""), strings.Join(p.Stages, ", ")))
	r, err := benchmark.Do(ctx, e, p, benchmark.Options{
		Store: store, Warn: shown.warn,
		Progress: func(what string, pr metamer.Progress) {
			shown.title = what
			shown.show(pr)
		},
	})
	shown.clear()
	if err != nil {
		return err
	}
	if err := r.Write(c.Out); err != nil {
		return err
	}
	fmt.Print(r.Table().Markdown())
	fmt.Println("\n" + filepath.Join(c.Out, "descents.png"))
	return nil
}
