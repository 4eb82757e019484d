package study

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Result is a plan carried out.
type Result struct {
	Plan   Plan
	Images *images.Set
	Runs   []*metamer.Run // a run for each set and stage, set by set
	Rows   metamer.Rows
	Cards  map[string]*card.Card // of all models that made or evaluated
	Took   time.Duration
	Spent  Spent
	// Distortions are those that the plan asks for, set by set and stage by stage.
	Distortions []Distorted

	settings bool   // told by the rows, not by the plan
	mixed    string // the settings in which runs differ that were joined
	repeats  []repeat

	undistorted []string // which distortions could not be computed, and why
}

// Spent is where the time of a study went, beside what its forecast said.
type Spent struct {
	Runs, Evaluation                 time.Duration // runs that were there count nothing; the evaluation that is left behind them
	ExpectedRuns, ExpectedEvaluation time.Duration // 0: there was no forecast

	Distortions time.Duration // 0: all were there

	Shares []Share // parts, in the order in which they began
	Cores  int     // of the engine's machine, 0: not known
	Memory uint64  // the most bytes that the engine held, 0: not known
	// Held is what the weights of each model of the plan take in memory at the end, with
	// what is derived of them. Models that were let go are not in it.
	Held map[string]int
	GPU  time.Duration // in which kernels ran on it, 0: none, or not known
}

// Options of Do.
type Options struct {
	Store  *runs.Store // where runs are kept; nil: nowhere
	Images *images.Set // in place of the plan's
	Blocks int         // see api.Synthesis
	// CheckpointEvery is how often what was done of a run is saved; 0: as api.Synthesis
	// has it.
	CheckpointEvery time.Duration
	// NoEvaluation leaves the evaluation out: the result has no rows.
	NoEvaluation bool
	// Speeds, if set, are what is known of this machine: what is not is measured before
	// the first run, and Forecast is told what to expect. They learn from the study.
	Speeds   *Speeds
	Forecast func(*Forecast)
	// Available leaves out sets and observers with models that are not here, with a
	// warning; else they are a *MissingModelsError.
	Available    bool
	PreviewEvery time.Duration
	Progress     func(Progress)
	Warn         func(string)
	// Ran, if set, is told of every run when it is there.
	Ran   func(*metamer.Run)
	Extra func(*metamer.Run) map[string]func(path string) error // see api.Synthesis
}

// Do carries a plan out: every run that is not there yet, and beside them the evaluations
// of those that are. It can be ended at any time; the same call goes on from there.
func Do(ctx context.Context, e api.Engine, p Plan, o Options) (*Result, error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	began := time.Now()
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	r := &Result{Plan: p, Images: o.Images}
	var err error
	if r.Images == nil {
		if r.Images, err = images.OpenLine(p.Images, images.Options{Size: p.Size}); err != nil {
			return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
		}
		for _, n := range r.Images.Notes {
			o.Warn(n)
		}
	}
	r.Images = p.Settings.Variants.Of(r.Images)
	if err := r.resolve(ctx, e, o); err != nil {
		return nil, err
	}
	if r.Plan, err = r.Plan.Batched(ctx, e, r.Images); err != nil {
		return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	if p.Distortions > 0 {
		if _, err := p.distorted(r.Images); err != nil { // before anything long begins
			return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
		}
	}
	d := &doing{e: e, o: o, r: r}
	if o.Speeds == nil {
		products, _, err := r.Plan.distortionProducts(newDistortionStore(o.Store), r.Images)
		if err != nil {
			return nil, err
		}
		d.clock = newClock(append(r.work(), productWork*float64(products)), false)
	} else if err := d.forecast(ctx); err != nil {
		return nil, err
	}
	if err := d.carryOut(ctx); err != nil {
		return nil, err
	}
	r.Took = time.Since(began)
	if err := d.account(ctx); err != nil {
		return nil, err
	}
	if r.repeats, err = repeats(ctx, o.Store, r.Runs); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o.Warn("runs with another seed cannot be compared: " + err.Error())
	}
	if o.Speeds != nil {
		if err := o.Speeds.save(); err != nil {
			o.Warn(err.Error())
		}
	}
	return r, nil
}

// resolve finds the models and puts their full names into the plan: rows are found by
// them. Unknown models, and models whose weights are not here, are errors before
// anything long begins.
func (r *Result) resolve(ctx context.Context, e api.Engine, o Options) error {
	models, err := e.Models(ctx)
	if err != nil {
		return err
	}
	c := newCatalogue(models)
	if err := r.Plan.resolve(c, o.Available); err != nil {
		return fmt.Errorf("study: plan %s: %w", r.Plan.Name, err)
	}
	missing := r.Plan.missing(c)
	if missing != nil && r.Plan.Pull {
		if models, err = pull(ctx, e, missing, c, o); err != nil {
			return err
		}
		c = newCatalogue(models)
		missing = r.Plan.missing(c)
	}
	if missing != nil {
		if !o.Available && !r.Plan.Pull {
			return &MissingModelsError{r.Plan.Name, missing}
		}
		r.Plan.without(missing)
		o.Warn((&MissingModelsError{r.Plan.Name, missing}).Error() + "\nSets and observers with these are left out.")
		if len(r.Plan.Sets) == 0 || len(r.Plan.Observers) == 0 {
			return fmt.Errorf("study: plan %s: no set or no observer is left: %w", r.Plan.Name, &MissingModelsError{r.Plan.Name, missing})
		}
	}
	r.Cards = map[string]*card.Card{}
	for _, set := range append(slices.Clone(r.Plan.Sets), r.Plan.Observers, r.Plan.Settings.Against.Names()) {
		for _, m := range set {
			r.Cards[m] = c.by[m].Card
		}
	}
	return nil
}

// MissingModelsError reports models of a plan that are not on this machine.
type MissingModelsError struct {
	Plan    string
	Missing []MissingModel
}

func (e *MissingModelsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "study: plan %s needs %d models whose weights are missing:", e.Plan, len(e.Missing))
	var pull []string
	var bytes int64
	for _, l := range e.Missing {
		in := "an observer"
		if l.Sets != nil {
			in = "in " + strings.Join(l.Sets, "; ")
		}
		fmt.Fprintf(&b, "\n- %s (%s)", l.Model, in)
		if l.Pull {
			pull = append(pull, l.Model)
			bytes += l.Bytes
		} else {
			b.WriteString(": " + l.Why)
		}
	}
	if pull != nil {
		size := ""
		if bytes > 0 {
			size = fmt.Sprintf(" (%s or more)", humanize.Bytes(uint64(bytes)))
		}
		b.WriteString("\nto have them" + size + ": metamers models pull " + strings.Join(pull, " "))
		b.WriteString("\nwithout a network here: metamers models show NAME says where a file comes from and where it is looked for")
	}
	return b.String()
}

// work is the expected work of each part where no speeds are known: model gradient
// evaluations, and for the evaluation what it usually takes beside them.
func (r *Result) work() []float64 {
	var out []float64
	n := float64(r.Images.Len())
	for _, c := range r.Plan.Cells() {
		rec := r.Plan.Of(c)
		out = append(out, n*float64(rec.Evaluations(rec.AllSteps())))
	}
	// A forward pass is about a third of a gradient evaluation.
	return append(out, n*float64(len(r.Plan.Sets)*len(r.Plan.Stages)*len(r.Plan.Observers))*2)
}

// Study is what figures and tables are drawn from.
func (r *Result) Study() *figures.Study {
	s := &figures.Study{Rows: r.Rows, Sets: r.Plan.Sets, Observers: r.Plan.Observers, Cards: r.Cards, Names: r.Plan.names(), Pairs: r.Plan.Pairs}
	if !r.settings {
		s.Settings = r.Plan.Describe()
	} else if runs := r.made(); len(runs) > 0 && runs[0].Recipe.Optimizer.Name != "" {
		s.Settings = runs[0].Recipe.Describe()
	}
	if r.mixed != "" {
		s.Settings += "; runs differ in " + r.mixed
	}
	return s
}

// Models returns the cards of all models, by name.
func (r *Result) Models() []*card.Card {
	var out []*card.Card
	for _, n := range slices.Sorted(maps.Keys(r.Cards)) {
		out = append(out, r.Cards[n])
	}
	return out
}

// Run returns the run of a set at a stage, nil if the plan has none. Of a plan with pairs it
// returns that against no models, or against those given.
func (r *Result) Run(set []string, stage string, against ...string) *metamer.Run {
	for _, run := range r.Runs {
		if slices.Equal(run.Recipe.ModelNames(), set) && run.Recipe.Stage == stage && (!r.Plan.Pairs || slices.Equal(run.Recipe.Against.Names(), against)) {
			return run
		}
	}
	return nil
}
