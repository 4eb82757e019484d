// Command metamers synthesises metamers and ensemble metamers of neural networks
// and judges them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	_ "github.com/ensemble-metamers/metamers/metamerkit/runs/bucket" // stores at s3://, gs:// and azblob://
)

// globals are the flags of every command.
type globals struct {
	Backend string `help:"auto, cuda, xla (on the CPU) or go (pure Go, needs nothing)." enum:"auto,cuda,xla,go" default:"auto" env:"METAMERS_BACKEND"`
	JSON    bool   `help:"Print JSON for machines, and no progress unless --progress asks for it."`
	Quiet   bool   `short:"q" help:"Print no progress and no forecast."`

	Progress string `help:"On standard error: bar, lines (one every 10 s), json (the same as JSON lines), none; auto is a bar on a terminal and lines elsewhere." enum:"auto,bar,lines,json,none" default:"auto" env:"METAMERS_PROGRESS"`

	Version kong.VersionFlag `help:"Print what this program was built from."`
}

// cli are the commands; those with the tag computes start again with large pages.
type cli struct {
	globals

	Synth       synthCmd       `cmd:"" computes:"" help:"Synthesise metamers of images for a model set at a stage."`
	Reproduce   reproduceCmd   `cmd:"" computes:"" help:"A whole study from a plan: metamers, evaluations, figures, tables, claims, one page."`
	Sweep       sweepCmd       `cmd:"" help:"Carry a plan out in pieces: on all devices of this machine, on Slurm, on Kubernetes."`
	Benchmark   benchmarkCmd   `cmd:"" computes:"" help:"Hold optimisers against each other at equal numbers of gradient evaluations."`
	Eval        evalCmd        `cmd:"" computes:"" help:"Measure runs: recognizability, success, similarity distributions and more."`
	Figures     figuresCmd     `cmd:"" help:"Draw figures and tables from rows, runs or the results of a study."`
	Models      modelsCmd      `cmd:"" help:"List, show or check models."`
	Data        dataCmd        `cmd:"" help:"Download data sets."`
	Classify    classifyCmd    `cmd:"" computes:"" help:"Say what models see in images, with probabilities."`
	Train       trainCmd       `cmd:"" computes:"" help:"Train a model, standard or adversarially robust."`
	Attack      attackCmd      `cmd:"" computes:"" help:"Accuracy of models clean and under adversarial attacks."`
	Runs        runsCmd        `cmd:"" help:"List, show, verify, export or remove runs."`
	Activations activationsCmd `cmd:"" computes:"" help:"Write a model's activations of images to an .npz file."`
	Engine      engineCmd      `cmd:"" computes:"" help:"The engine that notebooks share: serve, status, stop."`
	Measure     measureCmd     `cmd:"" computes:"" help:"Measure images: noise, sharpness, quality (BRISQUE, NIQE, PIQE), distance to a reference."`
	Doctor      doctorCmd      `cmd:"" help:"Say what was found, where, and what to do about what is missing."`
	BenchStep   benchStepCmd   `cmd:"" computes:"" hidden:"" help:"Time synthesis steps, driven over standard input (see bench/)."`

	Completion kongcompletion.Completion `cmd:"" help:"Say how to complete commands, models, stages and files with Tab in bash, zsh or fish."`
}

const description = `Metamers of neural networks: images that differ from a reference and give the same activations.

Examples:
  metamers synth --models resnet20,resnet56 --stage late --images cifar10:16
  metamers models
  metamers doctor

"metamers completion" says how to have names and files completed with Tab.`

func main() {
	var c cli
	parser := kong.Must(&c, kong.Name("metamers"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Description(description), kong.Vars{"version": "metamers " + version()})
	kongcompletion.Register(parser, predictors())
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err == nil {
		err = checkPositive(k.Flags())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "metamers:", usage(k, err))
		os.Exit(usageStatus)
	}
	if slices.ContainsFunc(k.Path, func(p *kong.Path) bool { return p.Command != nil && p.Command.Tag.Has("computes") }) {
		largePages()
	}
	ctx := untilSignal()
	images.Stdin = untilDone{ctx, os.Stdin}
	k.BindTo(ctx, (*context.Context)(nil))
	err = k.Run(&c.globals)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "metamers:", err)
		os.Exit(1)
	}
}

// engine opens the engine and says so when it is slower than it could be.
func (g *globals) engine() (*engine.Engine, error) {
	e, err := engine.Open(backend.Kind(g.Backend))
	if err != nil {
		return nil, err
	}
	if e.Backend.Notice != "" {
		fmt.Fprintln(os.Stderr, e.Backend.Notice)
	}
	return e, nil
}

// storeFlag is where the runs are.
type storeFlag struct {
	Store string `aliases:"out" help:"Where the runs are: a folder, or a URL such as s3://bucket/prefix (docs/store.md; default: runs in the cache folder)." env:"METAMERS_RUNS" placeholder:"STORE" predictor:"dir"`
}

// storeOnly is storeFlag for commands whose --out is something else.
type storeOnly struct {
	Store string `help:"Where the runs are: a folder, or a URL such as s3://bucket/prefix (docs/store.md; default: runs in the cache folder)." env:"METAMERS_RUNS" placeholder:"STORE" predictor:"dir"`
}

func (s storeOnly) locate() (*runs.Store, error) { return runs.Locate(storeName(s.Store)) }

func (s storeFlag) open() (*runs.Store, error) { return openStore(s.Store) }

// locate is open without making anything.
func (s storeFlag) locate() (*runs.Store, error) { return runs.Locate(storeName(s.Store)) }

// openStore opens the store of a flag, the default one for "".
func openStore(where string) (*runs.Store, error) {
	s, err := runs.Open(storeName(where))
	if err != nil && where == "" {
		return nil, fmt.Errorf("%w (--store or METAMERS_RUNS names another place for runs)", err)
	}
	return s, err
}

// openFound is openStore for a store that must be there.
func openFound(where string) (*runs.Store, error) {
	s, err := runs.Locate(storeName(where))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.Dir); s.URL == "" && err != nil {
		return nil, fmt.Errorf("there is no store at %s: %w", s.Where(), err)
	}
	return runs.Open(s.Where())
}

func storeName(where string) string {
	switch {
	case where == "":
		return paths.Runs()
	case !strings.Contains(where, "://"):
		return kong.ExpandPath(where)
	}
	return where
}
