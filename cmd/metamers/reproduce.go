package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos" // the image set photos
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

type reproduceCmd struct {
	Scale     string    `help:"Name of a built-in plan (see --list), or a YAML file (default: quick)." placeholder:"PLAN"`
	List      bool      `help:"List the built-in plans with their cost and their missing weights."`
	DryRun    bool      `help:"Show the runs of the plan, the expected time and disk space, and missing weights, without running anything."`
	Measure   bool      `help:"With --dry-run: measure the speeds of this machine that are not known yet."`
	Available bool      `help:"Skip model sets and observers whose weights are missing."`
	Pull      bool      `help:"Download missing weights first. Skip model sets and observers whose weights cannot be downloaded. The plan imagenet always does this."`
	Images    imageSpec `help:"Image set to use instead of the plan's." placeholder:"SET"`
	Size      int       `positive:"" help:"Side length of the images in pixels. Only for image files."`
	Steps     int       `positive:"" help:"Number of optimisation steps to use instead of the plan's."`
	Seed      *uint64   `help:"Random seed to use instead of the plan's."`
	storeFlag
	Checkpoint time.Duration `help:"Time between checkpoints." default:"30s"`
	Out        string        `help:"Output folder for figures, tables, rows and index.html." default:"out" type:"path"`
	peopleFlag

	Set     []string `group:"One piece of the plan" help:"Run and evaluate only this model set of the plan, at --stage, without figures." placeholder:"MODEL,…" predictor:"models"`
	Stage   string   `group:"One piece of the plan" help:"Run only this stage." predictor:"stage"`
	Against []string `group:"One piece of the plan" help:"Run only the pair with this other set, in a plan with pairs." placeholder:"MODEL,…" predictor:"models"`
	Part    string   `group:"One piece of the plan" help:"Run only images FROM to TO-1 (counted from 0), as a separate run with the same bits and without rows." placeholder:"FROM-TO"`
	Blocks  int      `positive:"" group:"One piece of the plan" help:"Join the run from runs of N images each, a multiple of the batch size. Missing parts are synthesised." placeholder:"N"`
}

func (c *reproduceCmd) Help() string {
	return `Runs a whole experiment: metamers for every model set and stage of a plan, evaluations,
Figures 1 to 8, Tables 1 to 6 and an HTML page with all of them. After Ctrl-C the same
command resumes.

A plan is a YAML file:
  name: mine
  images: photos:32
  size: 32
  sets:
    - [resnet20]
    - [resnet20, resnet56]
  settings: {steps: 1000}`
}

func (c *reproduceCmd) plan() (study.Plan, error) {
	p, err := study.Load(c.Scale)
	if err != nil {
		return p, err
	}
	if images.IsCIFAR(p.Images) && !images.HasCIFAR() && c.Set == nil {
		_, n, _ := strings.Cut(p.Images, ":")
		p.Images = strings.TrimSuffix("photos:"+n, ":")
		fmt.Fprintln(os.Stderr, "CIFAR-10 is missing (metamers data get cifar10 downloads it): using the embedded photographs,", p.Images)
	}
	override(&p.Size, c.Size)
	override(&p.Settings.Steps, c.Steps)
	p.Pull = p.Pull || c.Pull
	if c.Seed != nil {
		p.Settings.Seed = *c.Seed
	}
	if c.Images != nil {
		p.Images = images.Join(c.Images)
	}
	if images.IsCIFAR(p.Images) {
		p.Size = 0 // its own
	}
	return p, p.Validate()
}

func (c *reproduceCmd) Run(ctx context.Context, g *globals) error {
	if c.List {
		return c.list(ctx, g)
	}
	if c.Measure && !c.DryRun {
		return fmt.Errorf("--measure needs --dry-run; without it, unknown speeds are always measured")
	}
	c.Scale = cmp.Or(c.Scale, "plan:quick")
	p, err := c.plan()
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
	if c.DryRun {
		return c.dryRun(ctx, g, e, store, p)
	}
	speeds, err := openSpeeds(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "warning:", err)
	}
	bar := newPlanBar(g, p.Name)
	set, err := c.open(p)
	if err != nil {
		return err
	}
	bar.note(planLine(p, set))
	human, err := c.peopleFlag.rows(evaluate.Bootstrap{Resamples: p.Bootstrap})
	if err != nil {
		return err
	}
	if c.Set != nil {
		if human != nil {
			return fmt.Errorf("--people goes with a whole plan: one piece of it has no page")
		}
		return c.piece(ctx, g, e, p, set, store, bar)
	}
	if held := study.Holds(c.Out); held != "" && held != p.Name {
		bar.note(fmt.Sprintf("%s contains the page of plan %s, which will be replaced (choose another folder with --out DIR)", c.Out, held))
	}
	r, err := study.Do(ctx, e, p, study.Options{
		Store: store, Images: set, Blocks: c.Blocks, CheckpointEvery: c.Checkpoint, Extra: extras(set), Progress: bar.show, Available: c.Available, Speeds: speeds,
		Forecast: func(f *study.Forecast) {
			bar.note(forecastLine(f))
		},
		Warn: bar.warn,
		Ran: func(run *metamer.Run) {
			if !g.JSON {
				bar.clear()
				fmt.Println(ranLine(run))
			}
		},
	})
	bar.clear()
	if err != nil {
		return err
	}
	if human != nil {
		if err := r.AddPeople(human); err != nil {
			return err
		}
	}
	warnings, err := r.Write(c.Out)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			Plan    study.Plan
			Results string
			Runs    []string
		}{r.Plan, c.Out, ids(r.Runs)})
	}
	if line := spentLine(r.Spent); line != "" {
		fmt.Fprintln(os.Stderr, line)
	}
	for _, line := range r.Spent.Lines() {
		fmt.Fprintln(os.Stderr, line)
	}
	outcomes, err := r.Claims()
	if err != nil {
		return err
	}
	if tested := claims.Tested(outcomes); len(tested) > 0 {
		fmt.Println("\nthe paper's claims, by this experiment:")
		for _, claim := range tested {
			fmt.Println("-", claim)
		}
	}
	if line := claims.Untested(outcomes); line != "" {
		fmt.Println("\n" + line)
	}
	if human != nil {
		byPeople, err := r.ClaimsByPeople()
		if err != nil {
			return err
		}
		printPeople(r.Rows, claims.Tested(byPeople))
	}
	fmt.Println("\n" + filepath.Join(c.Out, "index.html"))
	return nil
}

// planLine says what the runs of a plan are made of.
func planLine(p study.Plan, set *images.Set) string {
	r := p.Recipe(p.Sets[0], p.Stages[0])
	how := r.Describe()
	if r.IsPaper() {
		how = "the paper's procedure: " + how
	}
	sets := english.Plural(len(p.Sets), "model set", "")
	if p.Pairs {
		sets += ", alone and against each other,"
	}
	return fmt.Sprintf("%s: %s; %s at %s; %s; null distribution: %s", p.Name, imagesLine(set), sets, strings.Join(p.Stages, ", "), how, r.NullOf())
}

func ranLine(run *metamer.Run) string {
	return fmt.Sprintf("%-32s %-7s %s. Mean relative L2 loss: %#.3g", strings.Join(run.Recipe.ModelNames(), "+"), run.Recipe.Stage, run.Verdict(), meanLoss(run))
}

func meanLoss(run *metamer.Run) (sum float64) {
	for _, ev := range run.Statistics {
		sum += ev.Loss / float64(len(run.Statistics))
	}
	return sum
}

func ids(runs []*metamer.Run) (out []string) {
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}
