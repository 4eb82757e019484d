// Command metamers synthesises metamers and ensemble metamers of neural networks
// and tests whether they match their references.
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
	Backend string `help:"Backend that computes: auto (the fastest available), cuda, xla (XLA on the CPU), go (pure Go, without other libraries) or plugin:FILE (any PJRT plugin; METAMERS_PJRT=FILE does the same; see docs/devices.md)." default:"auto" env:"METAMERS_BACKEND" predictor:"backend"`
	JSON    bool   `help:"Print results as JSON. Progress is off unless --progress is given."`
	Quiet   bool   `short:"q" help:"Do not print progress or forecasts."`

	Progress string `help:"Format of the progress on standard error: bar, lines (one every 10 s), json (JSON lines), none, or auto, which is a bar on a terminal and lines otherwise." enum:"auto,bar,lines,json,none" default:"auto" env:"METAMERS_PROGRESS"`

	Version kong.VersionFlag `help:"Print the version of this program and of its dependencies."`
}

// AfterApply refuses a backend that no one knows, also for commands that need none.
func (g *globals) AfterApply() error {
	if err := backend.Check(backend.Kind(g.Backend)); err != nil {
		return fmt.Errorf("--backend is %q, expected %s or plugin:FILE", g.Backend, strings.Join(backend.Kinds, ", "))
	}
	return nil
}

// cli lists the commands. Commands with the tag computes restart the process with large pages.
type cli struct {
	globals

	Demo        demoCmd        `cmd:"" computes:"" help:"Make metamers of one photograph and show them in the browser (20 seconds with XLA)."`
	Synth       synthCmd       `cmd:"" computes:"" help:"Synthesise metamers of images for a model set at a stage."`
	Reproduce   reproduceCmd   `cmd:"" computes:"" help:"Run a study from a plan: metamers, evaluations, figures, tables, claims and an HTML page."`
	Sweep       sweepCmd       `cmd:"" help:"Run a plan in shards: on all devices of this machine, on Slurm or on Kubernetes."`
	Benchmark   benchmarkCmd   `cmd:"" computes:"" help:"Compare optimisers at equal numbers of gradient evaluations."`
	Distortions distortionsCmd `cmd:"" computes:"" help:"Find the directions of pixels that a model set notices most and least, and those that separate its members."`
	Eval        evalCmd        `cmd:"" computes:"" help:"Evaluate runs: recognizability, success, similarity distributions and image metrics."`
	Figures     figuresCmd     `cmd:"" help:"Draw figures and tables from rows, runs or the results of a study."`
	Experiment  experimentCmd  `cmd:"" help:"Show metamers to people: make an experiment, serve it, read the answers, simulate participants."`
	Models      modelsCmd      `cmd:"" help:"List, show, check, download and add models."`
	Data        dataCmd        `cmd:"" help:"Download data sets."`
	Classify    classifyCmd    `cmd:"" computes:"" help:"Classify images and print the probabilities."`
	Train       trainCmd       `cmd:"" computes:"" help:"Train a model with standard or adversarial training."`
	Attack      attackCmd      `cmd:"" computes:"" help:"Measure the accuracy of models on clean and on adversarial images."`
	Runs        runsCmd        `cmd:"" help:"List, show, verify, export or remove runs."`
	Activations activationsCmd `cmd:"" computes:"" help:"Write a model's activations of images to an .npz file."`
	Engine      engineCmd      `cmd:"" computes:"" help:"Start, show or stop the engine that notebooks share."`
	Measure     measureCmd     `cmd:"" computes:"" help:"Measure images: noise, sharpness, quality (BRISQUE, NIQE, PIQE), distance to a reference."`
	Lab         labCmd         `cmd:"" help:"Open JupyterLab with the Go kernel on the notebooks."`
	Doctor      doctorCmd      `cmd:"" help:"Check the installation: backends, folders, data and weights, with advice on what is missing."`
	Print       versionCmd     `cmd:"" name:"version" hidden:"" help:"Print the version of this program."`
	Carried     carriedCmd     `cmd:"" hidden:"" help:"Write the weights and photographs that this program carries into a folder of sources."`
	BenchStep   benchStepCmd   `cmd:"" computes:"" hidden:"" help:"Time synthesis steps, driven over standard input (see bench/)."`

	Completion kongcompletion.Completion `cmd:"" help:"Print how to set up Tab completion for bash, zsh or fish."`
}

const purpose = `Metamers of neural networks: images that differ from a reference and give the same activations.`

const description = purpose + `

Examples:
  metamers demo
  metamers synth --models resnet20,resnet56 --stage late --images cifar10:16
  metamers doctor

Run "metamers completion" to set up Tab completion of names and files.`

// first is what the program prints without arguments.
const first = purpose + `

Try first:
  metamers demo                   metamers of a photograph, in the browser (20 seconds with XLA)
  metamers models --available     the networks on this machine
  metamers synth --models plain7_48.mm_c10_linf8,resnet8_48.mm_c10_linf8 --stage late --images photos:4 --size 32

The main commands:
  synth        synthesise metamers of images for a set of models
  eval         evaluate runs: recognizability, similarity, image metrics
  reproduce    run a study from a plan, to figures, tables and a page
  models       list, show, download and add models
  doctor       check the installation

metamers --help lists all commands, and metamers COMMAND --help their flags.`

// newParser returns the parser of the command line.
func newParser(c *cli) *kong.Kong {
	return kong.Must(c, kong.Name("metamers"), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Description(description), helpVars())
}

func main() {
	var c cli
	parser := newParser(&c)
	kongcompletion.Register(parser, predictors())
	args := os.Args[1:]
	if len(args) == 0 {
		fmt.Println(first)
		return
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
	if err == nil {
		notice(e.Backend)
	}
	return e, err
}

// backend opens the backend of --backend.
func (g *globals) backend() (*backend.Backend, error) {
	b, err := backend.Open(backend.Kind(g.Backend))
	if err == nil {
		notice(b)
	}
	return b, err
}

// notice prints why a backend is slower than another would be.
func notice(b *backend.Backend) {
	if b.Notice != "" {
		fmt.Fprintln(os.Stderr, b.Notice)
	}
}

// storeFlag names the store of runs.
type storeFlag struct {
	Store string `help:"Store of runs: a folder, or a URL such as s3://bucket/prefix (see docs/store.md; default: the folder runs in the cache folder)." env:"METAMERS_RUNS" placeholder:"STORE" predictor:"dir"`
}

func (s storeFlag) open() (*runs.Store, error) { return openStore(s.Store) }

// locate is open, but it creates nothing.
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
