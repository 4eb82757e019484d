package study

import (
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The criterion of convergence: over the last restShare of the steps the loss of an
// image, mean over members, changes by less than restChange of itself. Where models
// switch, a member's last loss is compared with one that lies as far before it.
const (
	restShare  = 0.1
	restChange = 0.01
)

// traced reports whether a run has a trace of its loss.
func traced(run *metamer.Run) bool { return len(run.Trace.Step) > 0 }

// atRest counts the images of a run that meet the criterion, and those of which the trace
// tells.
func atRest(run *metamer.Run) (rest, told int) {
	n, members := run.Recipe.Images.Count, len(run.Recipe.Models)
	early, late := make([][]at, n), make([][]at, n)
	for i := range n {
		early[i], late[i] = make([]at, members), make([]at, members)
	}
	last := 0
	for _, s := range run.Trace.Step {
		last = max(last, s)
	}
	window := restShare * float64(last)
	each := func(do func(i, m, step int, loss float64)) {
		for k, step := range run.Trace.Step {
			for j, loss := range run.Trace.Loss[k] {
				if i, m := run.Trace.Image[k]+j, run.Trace.Member[k]; i < n && m < members {
					do(i, m, step, float64(loss))
				}
			}
		}
	}
	each(func(i, m, step int, loss float64) { late[i][m].see(step, loss) })
	each(func(i, m, step int, loss float64) {
		if float64(step) <= float64(late[i][m].step)-window {
			early[i][m].see(step, loss)
		}
	})
	for i := range n {
		before, after, ok := 0.0, 0.0, members > 0
		for m := range members {
			ok = ok && early[i][m].seen && late[i][m].step > early[i][m].step
			before, after = before+early[i][m].loss, after+late[i][m].loss
		}
		if !ok || math.IsNaN(before+after) {
			continue
		}
		told++
		if math.Abs(before-after) <= restChange*before {
			rest++
		}
	}
	return rest, told
}

// at is a loss and when it was seen.
type at struct {
	step int
	loss float64
	seen bool
}

// see takes the loss of a later step.
func (a *at) see(step int, loss float64) {
	if !a.seen || step >= a.step {
		*a = at{step, loss, true}
	}
}

// started is the relative L2 distance that a member's activations began at, median over
// images; NaN where the trace does not tell: it begins later, or holds another loss.
func started(run *metamer.Run, member int) float64 {
	if run.Recipe.Loss != "relative-l2" || run.Recipe.WarmUp != nil || run.Recipe.Round > 0 || len(run.Recipe.Penalties) > 0 {
		return math.NaN()
	}
	if member >= len(run.Recipe.Models) && run.Recipe.Against.Loss != "relative-l2" {
		return math.NaN()
	}
	var first []float64
	for k, step := range run.Trace.Step {
		if step == 0 && run.Trace.Member[k] == member {
			for _, v := range run.Trace.Loss[k] { // median leaves out what is no number
				first = append(first, float64(v))
			}
		}
	}
	return median(first)
}
