package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/sweep"
)

type sweepCmd struct {
	Start  sweepStartCmd  `cmd:"" default:"withargs" help:"Start a plan, or go on with it."`
	Status sweepStatusCmd `cmd:"" help:"Say what is done, runs, failed and waits, and for how long."`
	Stop   sweepStopCmd   `cmd:"" help:"Stop a sweep; what was done is kept."`
	Shard  sweepShardCmd  `cmd:"" hidden:"" help:"Carry one shard out (what Slurm and Kubernetes start)."`
}

// sweepStore is where runs are, and beside them what became of sweeps.
type sweepStore struct{ storeFlag }

// home is the folder of the sweeps' folders.
func (s sweepStore) home() (store, home string, err error) {
	st, err := s.locate()
	if err != nil {
		return "", "", err
	}
	return st.Where(), filepath.Join(st.Dir, ".sweeps"), nil
}

type sweepStartCmd struct {
	Plan    string    `arg:"" help:"A plan by name or a YAML file, as of metamers reproduce." placeholder:"PLAN"`
	On      string    `help:"local, slurm or kubernetes." enum:"local,slurm,kubernetes" default:"local"`
	Shard   string    `help:"Images a shard, a multiple of the batch (default: the plan's, else four batches)." placeholder:"images:N"`
	DryRun  bool      `help:"Show shards, commands, expected hours and bytes; do nothing."`
	Workers int       `positive:"" help:"On this machine: how many at a time (default: one a GPU; one without a GPU)."`
	Retries int       `help:"On this machine: how often a shard that fails is tried again." default:"1"`
	Images  imageSpec `help:"Image set in place of the plan's." placeholder:"SET"`
	Size    int       `positive:"" help:"Pixels a side, for image files."`
	Steps   int       `positive:"" help:"Optimisation steps in place of the plan's."`
	Seed    *uint64   `help:"Seed in place of the plan's."`
	sweepStore
	Manifests string `help:"For Kubernetes: the folder to write (default: the sweep's name)." type:"path" placeholder:"DIR"`
}

func (c *sweepStartCmd) Help() string {
	return `Examples:
  metamers sweep first                              # all devices of this machine
  metamers sweep plan.yaml --shard images:32 --dry-run
  metamers sweep plan.yaml --on slurm               # job arrays; settings in the plan
  metamers sweep plan.yaml --on kubernetes          # writes manifests
  metamers sweep status plan.yaml

The plan of metamers reproduce is split into shards: a model set, a stage and a block
of images each; then the evaluations. What the store holds is not computed again, so
the same command starts a sweep, goes on with it, and takes a change of the plan.
Afterwards metamers reproduce draws the figures at once. docs/scale.md says more.`
}

// split reads the plan and splits it.
func (c *sweepStartCmd) split(ctx context.Context, g *globals) (*sweep.Sweep, error) {
	r := reproduceCmd{Scale: c.Plan, Images: c.Images, Size: c.Size, Steps: c.Steps, Seed: c.Seed}
	p, err := r.plan()
	if err != nil {
		return nil, err
	}
	if c.On == "kubernetes" && p.Observers == nil {
		return nil, fmt.Errorf("plan %s names no observers: which models are at hand in Kubernetes cannot be seen from here", p.Name)
	}
	models, err := new(engine.Engine).Models(ctx)
	if err != nil {
		return nil, err
	}
	if p, err = p.Pinned(models, c.On == "kubernetes" || c.DryRun); err != nil {
		return nil, err
	}
	o := sweep.Options{Backend: g.Backend}
	if o.Backend == "auto" && c.On == "local" && len(backend.GPUs()) > 0 {
		if _, err := backend.FindPlugin(backend.CUDA); err == nil {
			o.Backend = string(backend.CUDA) // a GPU that fails is an error, not a slower run
		}
	}
	gpus := map[string]bool{"slurm": strings.Contains(p.Sweep.Slurm.GRES, "gpu"), "kubernetes": p.Sweep.Kubernetes.GPUs > 0}
	if o.Backend == "auto" && gpus[c.On] {
		o.Backend = string(backend.CUDA)
	}
	if o.Folder, err = os.Getwd(); err != nil {
		return nil, err
	}
	if c.Shard != "" {
		n, ok := strings.CutPrefix(c.Shard, "images:")
		if o.Block, err = strconv.Atoi(n); !ok || err != nil || o.Block < 1 {
			return nil, fmt.Errorf("--shard %q: expected images:N, such as images:32", c.Shard)
		}
	}
	if o.Images = p.Sweep.Images; o.Images == 0 {
		spec, err := images.Split(p.Images, "")
		if err == nil {
			o.Images, err = images.Count(spec, images.Options{Size: p.Size})
		}
		if err != nil {
			return nil, fmt.Errorf("%w (sweep: {images: N} in the plan says how many there are on the workers)", err)
		}
	}
	if o.Store, o.Home, err = c.home(); err != nil {
		return nil, err
	}
	if c.On == "kubernetes" {
		if o.Store, err = p.Sweep.Kubernetes.Store(o.Store); err != nil {
			return nil, fmt.Errorf("plan %s: %w", p.Name, err)
		}
		o.Folder = p.Sweep.Kubernetes.Folder()
	}
	return sweep.New(p, o)
}

// workerProgram is what workers start.
func workerProgram(s *sweep.Sweep) (string, error) {
	if s.Plan.Sweep.Program != "" {
		return s.Plan.Sweep.Program, nil
	}
	return os.Executable()
}

func (c *sweepStartCmd) Run(ctx context.Context, g *globals) error {
	s, err := c.split(ctx, g)
	if err != nil {
		return err
	}
	prog, err := workerProgram(s)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.dry(g, s, prog)
	}
	if c.On == "kubernetes" {
		return c.kubernetes(g, s)
	}
	if _, err := c.open(); err != nil { // made if needed, and writable
		return err
	}
	if err := s.Write(); err != nil {
		return err
	}
	if c.On == "slurm" {
		return c.slurm(ctx, g, s, prog)
	}
	return c.local(ctx, g, s, prog)
}

// kubernetes writes manifests.
func (c *sweepStartCmd) kubernetes(g *globals, s *sweep.Sweep) error {
	dir := c.Manifests
	if dir == "" {
		dir = s.ID()
	}
	if err := s.WriteManifests(dir); err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct{ Sweep, Manifests string }{s.ID(), dir})
	}
	fmt.Print(s.ManifestHelp(dir))
	return nil
}

// slurm hands what is not done to Slurm.
func (c *sweepStartCmd) slurm(ctx context.Context, g *globals, s *sweep.Sweep, prog string) error {
	sub, err := s.Submit(ctx, prog)
	if sub == nil {
		return err
	}
	if g.JSON {
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(struct {
			Sweep string
			*sweep.Submission
		}{s.ID(), sub}))
	}
	for _, j := range sub.Jobs {
		after := ""
		if j.After != "" {
			after = ", " + j.After
		}
		fmt.Printf("job %s: %d shards, the first is %s%s\n", j.ID, len(j.Tasks), s.Shards[j.Offset+j.Tasks[0]], after)
	}
	fmt.Printf("sweep %s: %d shards handed to Slurm, %d were in its queue\n", s.ID(), sub.Shards, sub.AlreadyQueued)
	if err != nil {
		return fmt.Errorf("sweep: Slurm takes no more for now, the same command hands over the rest later: %w", err)
	}
	fmt.Printf("metamers sweep status %s --out %s\n", s.ID(), s.Store)
	return nil
}
