package study

import (
	"slices"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// watch notes when the steps of a run were made, and how busy the cores were.
type watch struct {
	start                time.Time // of the first step
	first, last, after   time.Time // first and last report of steps, the end of all
	batch                time.Time // the end of the last batch but one
	files                time.Time // when nothing but files was left
	disturbed            bool      // something else was under way at the last report
	firstStep, stepsOver int       // stepsOver: since first
	done                 int       // of batches before
	lastStep, image      int
	each, fromBatch      []float64 // seconds of steps that nothing was done beside; of those of the batch under way

	compiling time.Time
	use       [4]metamer.Usage
}

// Usages of a watch.
const (
	atCompiling = iota
	atCompiled
	atFirst
	atLast
)

// see takes a report; concurrent says that something else is under way.
func (w *watch) see(p metamer.Progress, concurrent bool) {
	now := time.Now()
	quiet := !concurrent && !w.disturbed
	w.disturbed = concurrent
	switch {
	case p.Phase == metamer.Stepping && p.Step > 0:
		if w.first.IsZero() {
			w.first, w.firstStep, w.image, w.use[atFirst] = now, p.Step, p.Image, p.Usage
		}
		if p.Image != w.image { // the next batch
			w.done += w.lastStep
			w.image, w.batch, w.lastStep, w.fromBatch = p.Image, w.last, 0, nil
		}
		if steps := p.Step - w.lastStep; w.lastStep > 0 && steps > 0 && quiet {
			each := now.Sub(w.last).Seconds() / float64(steps)
			w.each, w.fromBatch = append(w.each, each), append(w.fromBatch, each)
		}
		w.last, w.lastStep, w.use[atLast] = now, p.Step, p.Usage
		w.stepsOver = w.done + p.Step - w.firstStep
	case p.Phase == metamer.Compiling:
		w.compiling, w.use[atCompiling] = now, p.Usage
	case p.Phase == metamer.Starting:
		w.start, w.use[atCompiled] = now, p.Usage
	case p.Phase == metamer.Matching:
		w.after = now
	case p.Phase == metamer.Writing:
		w.files = now
	}
}

// step is the time of a step, 0 where it cannot be told.
func (w *watch) step() float64 {
	if w.stepsOver < 1 {
		return 0
	}
	return w.last.Sub(w.first).Seconds() / float64(w.stepsOver)
}

// late is the time of a step of the last batch, 0 where there is one batch, or where
// something was done beside it: what was compiled beside the first steps is done by then.
func (w *watch) late() float64 {
	if w.batch.IsZero() {
		return 0
	}
	return middle(w.fromBatch)
}

// middle is the time of a step, 0 where it cannot be told.
func (w *watch) middle() float64 { return middle(w.each) }

// middle is the mean of the middle half of values, which a moment's other work on the
// machine changes little; 0 for fewer than four.
func middle(values []float64) (mean float64) {
	n := len(values)
	if n < 4 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))[n/4 : n-n/4]
	for _, x := range v {
		mean += x / float64(len(v))
	}
	return mean
}

// busy returns the shares of the cores that compilation and steps kept busy, 0 where they
// cannot be told.
func (w *watch) busy() (compile, step float64) {
	share := func(from, to int, took time.Duration) float64 { return busy(w.use[from], w.use[to], took) }
	compile = share(atCompiling, atCompiled, w.start.Sub(w.compiling))
	if w.stepsOver < 1 { // one call made all steps
		return compile, share(atCompiled, atLast, w.last.Sub(w.start))
	}
	return compile, share(atFirst, atLast, w.last.Sub(w.first))
}

// busy is the share of the cores that an engine kept busy between two reports, 0 where it
// cannot be told.
func busy(from, to metamer.Usage, took time.Duration) float64 {
	if took < 10*time.Millisecond || to.Cores == 0 || to.Processor == 0 {
		return 0
	}
	return within((to.Processor-from.Processor).Seconds()/(took.Seconds()*float64(to.Cores)), 0.01, 1)
}
