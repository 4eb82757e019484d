package main

import (
	"cmp"
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
	Start  sweepStartCmd  `cmd:"" default:"withargs" help:"Start or resume a plan."`
	Status sweepStatusCmd `cmd:"" help:"Show which shards are done, running, failed or waiting, and the remaining time."`
	Stop   sweepStopCmd   `cmd:"" help:"Stop a sweep. Finished work stays stored."`
	Shard  sweepShardCmd  `cmd:"" hidden:"" help:"Run one shard. Slurm and Kubernetes jobs call this command."`
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
	Plan    string    `arg:"" help:"Name of a built-in plan, or a YAML file, as for metamers reproduce." placeholder:"PLAN"`
	On      string    `help:"Where shards run: local, slurm or kubernetes." enum:"local,slurm,kubernetes" default:"local"`
	Shard   string    `help:"Images per shard, a multiple of the batch size (default: the plan's value, else four batches)." placeholder:"images:N"`
	DryRun  bool      `help:"Show shards, commands, expected hours and bytes without running anything."`
	Workers int       `positive:"" help:"Number of concurrent workers on this machine (default: one per GPU, or one without a GPU)."`
	Retries int       `help:"Number of retries of a failed shard on this machine." default:"1"`
	Images  imageSpec `help:"Image set to use instead of the plan's." placeholder:"SET"`
	Size    int       `positive:"" help:"Side length of the images in pixels. Only for image files."`
	Steps   int       `positive:"" help:"Number of optimisation steps to use instead of the plan's."`
	Seed    *uint64   `help:"Random seed to use instead of the plan's."`
	sweepStore
	Manifests string `help:"Output folder for Kubernetes manifests (default: the sweep's name)." type:"path" placeholder:"DIR"`
}

func (c *sweepStartCmd) Help() string {
	return `Examples:
  metamers sweep first                              # all devices of this machine
  metamers sweep plan.yaml --shard images:32 --dry-run
  metamers sweep plan.yaml --on slurm               # job arrays; settings in the plan
  metamers sweep plan.yaml --on kubernetes          # writes manifests
  metamers sweep status plan.yaml

A plan is split into shards of one model set, one stage and one block of images,
followed by the evaluations. Stored results are not computed again, so the same command
starts a sweep, resumes it, and applies a changed plan. Afterwards metamers reproduce
draws the figures and computes nothing but distortions, if the plan asks for them. See
docs/scale.md.`
}

// split reads the plan and splits it.
func (c *sweepStartCmd) split(g *globals) (*sweep.Sweep, error) {
	r := reproduceCmd{Scale: c.Plan, Images: c.Images, Size: c.Size, Steps: c.Steps, Seed: c.Seed}
	p, err := r.plan()
	if err != nil {
		return nil, err
	}
	if c.On == "kubernetes" && p.Observers == nil {
		return nil, fmt.Errorf("plan %s names no observers, which Kubernetes needs because its models are not known on this machine", p.Name)
	}
	models, err := engine.Models()
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
			return nil, fmt.Errorf("%w (sweep: {images: N} in the plan gives the number of images on the workers)", err)
		}
	}
	o.Images *= p.Settings.Variants.Each()
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
	s, err := c.split(g)
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
	dir := cmp.Or(c.Manifests, s.ID())
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
	fmt.Printf("metamers sweep status %s --store %s\n", s.ID(), s.Store)
	return nil
}
