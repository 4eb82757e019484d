package study

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/ask"
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
	Cards  map[string]*card.Card // of all models that made or judged
	Took   time.Duration

	settings bool // told by the rows, not by the plan
}

// Options of Do.
type Options struct {
	Store        *runs.Store // where runs are kept; nil: nowhere
	Images       *images.Set // in place of the plan's
	Blocks       int         // see ask.Synthesis
	Unjudged     bool        // no evaluation: the result has no rows
	PreviewEvery time.Duration
	Progress     func(Progress)
	Warn         func(string)
	// Ran, if set, is told of every run when it is there.
	Ran   func(*metamer.Run)
	Extra func(*metamer.Run) map[string]func(path string) error // see ask.Synthesis
}

// Do carries a plan out: every run that is not there yet, then the evaluations. It
// can be ended at any time; the same call goes on from there.
func Do(ctx context.Context, e ask.Engine, p Plan, o Options) (*Result, error) {
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
		if r.Images, err = images.Open(strings.Fields(p.Images), images.Options{Size: p.Size}); err != nil {
			return nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
		}
	}
	if err := r.resolve(ctx, e); err != nil {
		return nil, err
	}
	d := &doing{e: e, o: o, r: r, clock: newClock(r.work())}
	for i, set := range r.Plan.Sets {
		for k, stage := range r.Plan.Stages {
			run, err := d.synthesize(ctx, i*len(r.Plan.Stages)+k, set, stage)
			if err != nil {
				return nil, err
			}
			r.Runs = append(r.Runs, run)
			if o.Ran != nil {
				o.Ran(run)
			}
		}
	}
	if !o.Unjudged {
		if err := d.evaluate(ctx); err != nil {
			return nil, err
		}
	}
	r.Took = time.Since(began)
	return r, nil
}

// resolve finds the cards of the models and puts their full names into the plan:
// rows are found by them. Unknown models, and models whose weights are not here, are
// errors before anything long begins.
func (r *Result) resolve(ctx context.Context, e ask.Engine) error {
	models, err := e.Models(ctx)
	if err != nil {
		return err
	}
	return r.pin(models)
}

func (r *Result) pin(models []ask.Model) (err error) {
	known, by := map[string]ask.Model{}, []string{}
	for _, m := range models {
		for _, n := range append([]string{m.Card.Name}, m.Card.Aliases...) {
			known[n] = m
			by = append(by, n)
		}
	}
	var missing []string
	full := func(names []string) ([]string, error) {
		out := make([]string, len(names))
		for i, n := range names {
			m, ok := known[n]
			if !ok {
				return nil, fmt.Errorf("study: plan %s: %w", r.Plan.Name, metamer.Unknown("model", n, by))
			}
			if m.Missing != "" && !slices.Contains(missing, m.Missing) {
				missing = append(missing, m.Missing)
			}
			out[i] = m.Card.Name
			r.Cards[m.Card.Name] = m.Card
		}
		return out, nil
	}
	r.Cards = map[string]*card.Card{}
	sets := make([][]string, len(r.Plan.Sets))
	for i, set := range r.Plan.Sets {
		if sets[i], err = full(set); err != nil {
			return err
		}
	}
	r.Plan.Sets = sets
	if r.Plan.Observers == nil {
		// Every model that is here and knows the same classes as the first.
		labels := r.Cards[sets[0][0]].Labels
		for _, m := range models {
			if m.Missing == "" && m.Card.Classes > 0 && m.Card.Labels == labels {
				r.Plan.Observers = append(r.Plan.Observers, m.Card.Name)
			}
		}
	}
	if r.Plan.Observers, err = full(r.Plan.Observers); err != nil {
		return err
	}
	if missing != nil {
		return fmt.Errorf("study: plan %s needs models that are not here:\n- %s", r.Plan.Name, strings.Join(missing, "\n- "))
	}
	return nil
}

// work is the expected work of each part: model gradient evaluations, and for the
// evaluation what it usually takes beside them.
func (r *Result) work() []float64 {
	var out []float64
	n := float64(r.Images.Len())
	for _, set := range r.Plan.Sets {
		for range r.Plan.Stages {
			rec := r.Plan.Recipe(set, "")
			w := n * float64(rec.Steps)
			if rec.Schedule.Kind == "average" {
				w *= float64(len(set))
			}
			out = append(out, w)
		}
	}
	// A forward pass is about a third of a gradient evaluation.
	return append(out, n*float64(len(out)*len(r.Plan.Observers))*2)
}

// Pinned is the plan with its defaults, full model names and the observers that the
// models at hand stand for, so that it means the same on every machine.
func (p Plan) Pinned(models []ask.Model) (Plan, error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	r := &Result{Plan: p}
	err := r.pin(models)
	return r.Plan, err
}

type doing struct {
	e     ask.Engine
	o     Options
	r     *Result
	clock *clock
}

func (d *doing) synthesize(ctx context.Context, part int, set []string, stage string) (*metamer.Run, error) {
	names := &figures.Study{Cards: d.r.Cards}
	what := names.Label(set) + ", " + stage
	d.clock.begin(part)
	run, err := d.e.Synthesize(ctx, ask.Synthesis{
		Recipe: d.r.Plan.Recipe(set, stage), Images: d.r.Images, Store: d.o.Store, Blocks: d.o.Blocks, PreviewEvery: d.o.PreviewEvery, Warn: d.o.Warn, Extra: d.o.Extra,
		Progress: func(p metamer.Progress) {
			if p.Phase == "synthesis" && p.Images > 0 && p.Steps > 0 {
				batch := float64(p.Images - p.Image)
				if r := d.r.Plan.Recipe(set, stage); r.Batch < p.Images-p.Image {
					batch = float64(r.Batch)
				}
				d.clock.share = (float64(p.Image) + batch*float64(p.Step)/float64(p.Steps)) / float64(p.Images)
			}
			d.show(what, p)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("study: %s: %w", what, err)
	}
	d.clock.end(!run.Cached)
	return run, nil
}

func (d *doing) show(what string, p metamer.Progress) {
	s := Progress{What: what, Phase: p.Phase, Loss: p.Loss, Preview: p.Preview}
	s.Done, s.Left = d.clock.state()
	d.o.Progress(s)
}

func (d *doing) evaluate(ctx context.Context) (err error) {
	d.clock.begin(len(d.clock.parts) - 1)
	q := ask.Evaluation{Runs: d.r.Runs, Images: d.r.Images, Observers: d.r.Plan.Observers, Measures: d.r.Plan.Measures, Warn: d.o.Warn}
	q.Bootstrap.Resamples = d.r.Plan.Bootstrap
	q.Progress = func(p metamer.Progress) {
		if p.Steps > 0 {
			d.clock.share = float64(p.Step) / float64(p.Steps)
		}
		d.show(p.What, p)
	}
	if d.r.Rows, err = d.e.Evaluate(ctx, q); err != nil {
		return fmt.Errorf("study: evaluating: %w", err)
	}
	d.clock.end(true)
	return nil
}

// Study is what figures and tables are drawn from.
func (r *Result) Study() *figures.Study {
	s := &figures.Study{Rows: r.Rows, Sets: r.Plan.Sets, Observers: r.Plan.Observers, Cards: r.Cards}
	if rec := r.recipe(); !r.settings {
		s.Settings = r.Plan.Describe()
	} else if rec.Optimizer.Name != "" {
		s.Settings = rec.Describe()
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

// Run returns the run of a set at a stage, nil if the plan has none.
func (r *Result) Run(set []string, stage string) *metamer.Run {
	for _, run := range r.Runs {
		if slices.Equal(run.Recipe.ModelNames(), set) && run.Recipe.Stage == stage {
			return run
		}
	}
	return nil
}
