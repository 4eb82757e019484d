package study

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// evaluator evaluate runs beside the steps of those behind them, in their order.
type evaluator struct {
	waiting []*metamer.Run
	more    chan struct{} // holds a word when there is something new
	eased   chan struct{} // and when an evaluation is over
	under   int           // runs that are being evaluated
	over    bool          // no run is added any more
	behind  int           // runs that were not evaluated by then
	since   int           // of these, those that are
	done    chan struct{} // closed when all is over
	err     error

	rows   metamer.Rows
	seen   map[string]bool // stages of which an evaluation is over
	warned map[string]bool
}

// add hands a run over; the lock is held.
func (j *evaluator) add(run *metamer.Run) {
	if j.more != nil {
		j.waiting = append(j.waiting, run)
		nudge(j.more)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepUp waits, behind a run that was made, until no more than one waits to be evaluated or
// is being: evaluations that lag behind would all be left for the end.
func (d *doing) keepUp(ctx context.Context, last *metamer.Run) {
	j := &d.evaluator
	if j.more == nil || last == nil || last.Cached {
		return
	}
	for {
		d.mu.Lock()
		n := len(j.waiting) + j.under
		d.mu.Unlock()
		if n <= 1 {
			return
		}
		select {
		case <-j.eased:
		case <-j.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// evaluateRuns begins to evaluate what runs hands over. failed ends the runs: an evaluation that
// fails would fail again.
func (d *doing) evaluateRuns(ctx context.Context, failed func()) {
	j := &d.evaluator
	j.more, j.eased, j.done, j.seen, j.warned = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}), map[string]bool{}, map[string]bool{}
	go func() {
		defer close(j.done)
		for {
			d.mu.Lock()
			runs, over := j.waiting, j.over
			j.waiting, j.under = nil, len(runs)
			d.mu.Unlock()
			switch {
			case runs != nil:
				if j.err = d.evaluate(ctx, runs); j.err != nil {
					failed()
					return
				}
			case over:
				return
			default:
				select {
				case <-j.more:
				case <-ctx.Done():
					j.err = ctx.Err()
					return
				}
			}
		}
	}()
}

// evaluated waits for the evaluations when the last run is there.
func (d *doing) evaluated() error {
	d.mu.Lock()
	d.evaluator.over, d.evaluator.behind = true, len(d.evaluator.waiting)+d.evaluator.under
	nudge(d.evaluator.more)
	d.clock.begin(len(d.clock.parts) - 2) // behind it are distortions
	d.mu.Unlock()
	<-d.evaluator.done
	d.mu.Lock()
	defer d.mu.Unlock()
	d.r.Rows, d.r.Spent.Evaluation = d.evaluator.rows, d.clock.end(true)
	return d.evaluator.err
}

// evaluate evaluates some runs. Their rows come behind those that are there, without the
// references' own, which the first have.
func (d *doing) evaluate(ctx context.Context, runs []*metamer.Run) error {
	j := &d.evaluator
	q := api.Evaluation{Runs: runs, Images: d.r.Images, Observers: d.r.Plan.Observers, Measures: d.r.Plan.Measures}
	q.Bootstrap.Resamples = d.r.Plan.Bootstrap
	q.Warn = func(text string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !j.warned[text] {
			j.warned[text] = true
			d.o.Warn(text)
		}
	}
	q.Progress = func(p metamer.Progress) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !j.over { // a run is what is shown
			return
		}
		d.tally.See(p)
		if p.Steps > 0 {
			d.clock.share = (float64(j.since) + float64(len(runs)*p.Step)/float64(p.Steps)) / float64(max(j.behind, 1))
		}
		d.show(p.What, p)
	}
	d.mu.Lock()
	d.concurrent++
	alone := j.over
	d.mu.Unlock()
	began := time.Now()
	rows, err := d.r.measured(ctx, d.e, q)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.concurrent--
	nudge(j.eased)
	if j.under = 0; j.over {
		j.since += len(runs)
	}
	if err != nil {
		return fmt.Errorf("study: evaluating: %w", err)
	}
	if j.rows != nil {
		rows = slices.DeleteFunc(rows, func(r metamer.Row) bool { return r.Set == "" })
	}
	j.rows = append(j.rows, rows...)
	if alone && d.f != nil && !slices.ContainsFunc(runs, d.r.isPair) {
		d.o.Speeds.evaluated(d.f, runs, j.seen, time.Since(began))
	}
	for _, run := range runs {
		if !d.r.isPair(run) {
			j.seen[run.Recipe.Stage] = true
		}
	}
	return nil
}

// measured evaluates runs: those of pairs by their members, which say how well the match is
// held; how far the other set is driven apart is in the run.
func (r *Result) measured(ctx context.Context, e api.Engine, q api.Evaluation) (rows metamer.Rows, err error) {
	var alone, pairs []*metamer.Run
	for _, run := range q.Runs {
		if r.isPair(run) {
			pairs = append(pairs, run)
		} else {
			alone = append(alone, run)
		}
	}
	if q.Runs = alone; alone != nil {
		if rows, err = e.Evaluate(ctx, q); err != nil {
			return nil, err
		}
	}
	for _, run := range pairs {
		q.Runs, q.Observers, q.Measures = []*metamer.Run{run}, run.Recipe.ModelNames(), pairMeasures
		more, err := e.Evaluate(ctx, q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// evaluated takes over what evaluations took that nothing was done beside; before are the
// stages that had been evaluated.
func (s *Speeds) evaluated(f *Forecast, runs []*metamer.Run, before map[string]bool, took time.Duration) {
	expected := 0.0
	for _, run := range runs {
		if run.Cached || !before[run.Recipe.Stage] {
			return
		}
		expected += f.each[run.Recipe.Stage].seconds
	}
	if expected > 2 && took > time.Second/2 { // halfway: the next plan is another one
		s.Unit = within(math.Sqrt(took.Seconds()/expected)*nonzero(s.Unit), 0.5, 2)
	}
}
