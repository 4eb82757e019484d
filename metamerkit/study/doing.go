package study

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// doing is a plan being carried out.
type doing struct {
	e api.Engine
	o Options
	r *Result
	f *Forecast // nil where no speeds are known

	mu         sync.Mutex // of what follows: match statistics and files of one run are made beside the next
	clock      *clock
	tally      Tally
	concurrent int // evaluations, and runs that have taken their steps, under way
	evaluator  evaluator
	warned     []string
}

// forecast measures what is not known of this machine and says what the plan takes.
func (d *doing) forecast(ctx context.Context) error {
	p, s := d.r.Plan, d.o.Speeds
	begin := time.Now()
	warm, err := p.Calibrate(ctx, d.e, s, d.r.Images, func(done, total int, what string) {
		d.o.Progress(Progress{What: what, Phase: Measuring})
	})
	if err != nil {
		return err
	}
	there, err := inStore(d.o.Store, d.r.Images, s.Computes)
	if err != nil {
		return err
	}
	d.f = p.Forecast(s, warm, d.r.Images, there)
	if d.f.Products, d.f.Distortions, err = p.distortionProducts(newDistortionStore(d.o.Store), d.r.Images); err != nil {
		return err
	}
	d.f.Measured = time.Since(begin)
	d.r.Spent.ExpectedEvaluation, d.r.Spent.ExpectedRuns = d.f.Tail, d.f.Left()-d.f.Tail
	// What is done beside the runs makes each longer.
	alone, parts := 0.0, make([]float64, 0, len(d.f.Parts)+1)
	for _, part := range d.f.Parts {
		alone += part.Expected.Seconds()
	}
	for _, part := range d.f.Parts {
		parts = append(parts, part.Expected.Seconds()/max(alone, 1e-9)*d.r.Spent.ExpectedRuns.Seconds())
	}
	d.clock = newClock(append(parts, d.f.Tail.Seconds(), d.distortionSeconds()), true)
	if d.o.Forecast != nil {
		d.o.Forecast(d.f)
	}
	return nil
}

// carryOut makes the runs and evaluates them. Whichever fails ends the other, and is what
// is reported.
func (d *doing) carryOut(ctx context.Context) error {
	if d.o.NoEvaluation {
		return d.runs(ctx)
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	d.evaluateRuns(inner, cancel)
	err := d.runs(inner)
	if err == nil {
		if err := d.evaluated(); err != nil {
			return err
		}
		if err := d.yardstick(ctx); err != nil {
			return err
		}
		return d.distort(ctx)
	}
	cancel()
	<-d.evaluator.done
	if ctx.Err() == nil && d.evaluator.err != nil && !errors.Is(d.evaluator.err, context.Canceled) {
		return d.evaluator.err
	}
	return err
}

// cell is a run of a plan that is being made.
type cell struct {
	Cell
	part int // of the clock
	run  *metamer.Run
	err  error

	computed chan struct{} // closed when its steps are taken: match statistics and files are left
	done     chan struct{} // closed when it is over
}

// runs makes the runs of the plan in their order. The match statistics of one are computed and its
// files are written while the next takes its steps, so that two are under way at most;
// whichever fails ends both.
func (d *doing) runs(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var cells []*cell
	for i, c := range d.r.Plan.Cells() {
		cells = append(cells, &cell{Cell: c, part: i, computed: make(chan struct{}), done: make(chan struct{})})
	}
	began := time.Now()
	// over waits for a run and takes it.
	over := func(c *cell) error {
		if c == nil {
			return nil
		}
		if <-c.done; c.err != nil {
			return c.err
		}
		d.ran(c.run)
		return nil
	}
	var last *cell
	for i, c := range cells {
		var next *metamer.Recipe
		if i+1 < len(cells) {
			r := d.r.Plan.Of(cells[i+1].Cell)
			next = &r
		}
		if n := len(d.r.Runs); n > 0 {
			d.keepUp(ctx, d.r.Runs[n-1])
		}
		go func() {
			defer close(c.done)
			if c.run, c.err = d.synthesize(ctx, c, next); c.err != nil {
				cancel()
			}
		}()
		if err := over(last); err != nil {
			<-c.done
			return err
		}
		last = c
		select {
		case <-c.computed:
		case <-c.done:
			if c.err != nil {
				return c.err
			}
		}
	}
	if err := over(last); err != nil {
		return err
	}
	if slices.ContainsFunc(d.r.Runs, func(r *metamer.Run) bool { return !r.Cached }) {
		d.r.Spent.Runs = time.Since(began)
	}
	return nil
}

// ran takes a run that is there.
func (d *doing) ran(run *metamer.Run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.r.Runs = append(d.r.Runs, run)
	if d.o.Ran != nil {
		d.o.Ran(run)
	}
	d.evaluator.add(run)
}

func (d *doing) synthesize(ctx context.Context, c *cell, next *metamer.Recipe) (*metamer.Run, error) {
	names := &figures.Study{Cards: d.r.Cards, Names: d.r.Plan.names()}
	what := names.Label(c.Set) + ", " + c.Stage
	if c.Against != nil {
		what += ", against " + names.Label(c.Against)
	}
	recipe := d.r.Plan.Of(c.Cell)
	var w watch
	computed := false
	d.mu.Lock()
	d.clock.begin(c.part)
	d.mu.Unlock()
	run, err := d.e.Synthesize(ctx, api.Synthesis{
		Recipe: recipe, Images: d.r.Images, Store: d.o.Store.Where(), Blocks: d.o.Blocks, Next: next, CheckpointEvery: d.o.CheckpointEvery, PreviewEvery: d.o.PreviewEvery, Warn: d.warn, Extra: d.o.Extra,
		Progress: func(p metamer.Progress) {
			d.mu.Lock()
			defer d.mu.Unlock()
			w.see(p, d.concurrent > 0)
			if computed && next != nil { // the next run is what is shown
				return
			}
			d.tally.See(p)
			if p.Phase == metamer.Stepping && p.Images > 0 && p.Steps > 0 {
				d.clock.share = p.Share()
			}
			d.show(what, p)
		},
		Stepped: func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.clock.end(true)
			d.concurrent++
			computed = true
			close(c.computed)
		},
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if computed {
		d.concurrent--
	}
	if err != nil {
		return nil, fmt.Errorf("study: %s: %w", what, err)
	}
	if !computed {
		d.clock.end(!run.Cached)
	}
	if d.f != nil && !run.Cached {
		d.o.Speeds.learn(d.r.Plan, run, w, next == nil, time.Now())
	}
	return run, nil
}

// warn tells a warning once, though it holds for every run.
func (d *doing) warn(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.warned, text) {
		d.warned = append(d.warned, text)
		d.o.Warn(text)
	}
}

// show reports progress; the lock is held.
func (d *doing) show(what string, p metamer.Progress) {
	s := Progress{What: what, Phase: p.Phase, Loss: p.Loss, Preview: p.Preview}
	s.Done, s.Left = d.clock.state()
	d.o.Progress(s)
}

// account says what was used.
func (d *doing) account(ctx context.Context) error {
	s, t := &d.r.Spent, &d.tally
	s.Shares, s.Cores, s.Memory, s.GPU = t.Shares, t.Last.Cores, t.Last.Memory, t.Last.Device-t.first.Device
	models, err := d.e.Models(ctx)
	if err != nil {
		return err
	}
	s.Held = map[string]int{}
	for _, m := range models {
		if d.r.Cards[m.Card.Name] != nil && m.Held > 0 {
			s.Held[m.Card.Name] = m.Held
		}
	}
	return nil
}
