package benchmark

import (
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Curve is the inversion loss against evaluations: Loss[k][i] is the mean of the
// members' latest losses of image i, known after At[k] evaluations.
type Curve struct {
	At   []int
	Loss [][]float64
}

// curveOf reads a run's trace, from the evaluation on at which every member was seen.
func curveOf(run *metamer.Run) Curve {
	r := run.Recipe
	members, n := len(r.Models), r.Images.Count
	byStep := map[int][]int{} // rows of the trace
	for i, step := range run.Trace.Step {
		byStep[step] = append(byStep[step], i)
	}
	var steps []int
	for s := range byStep {
		steps = append(steps, s)
	}
	slices.Sort(steps)
	latest := make([][]float64, members)
	for m := range latest {
		latest[m] = slices.Repeat([]float64{math.NaN()}, n)
	}
	var c Curve
	for _, s := range steps {
		for _, i := range byStep[s] {
			for k, v := range run.Trace.Loss[i] {
				latest[run.Trace.Member[i]][run.Trace.Image[i]+k] = float64(v)
			}
		}
		row, known := make([]float64, n), true
		for i := range row {
			for m := range latest {
				row[i] += latest[m][i] / float64(members)
			}
			known = known && !math.IsNaN(row[i])
		}
		if known {
			c.At, c.Loss = append(c.At, r.Evaluations(s+1)), append(c.Loss, row)
		}
	}
	return c
}

// average is the mean of curves over seeds, as far as all go.
func average(cs []Curve) Curve {
	out := cs[0]
	for _, c := range cs[1:] {
		n := min(len(out.At), len(c.At))
		sum := Curve{At: out.At[:n]}
		for k := range n {
			row := make([]float64, len(c.Loss[k]))
			for i := range row {
				row[i] = out.Loss[k][i] + c.Loss[k][i]
			}
			sum.Loss = append(sum.Loss, row)
		}
		out = sum
	}
	if len(cs) > 1 {
		for _, row := range out.Loss {
			for i := range row {
				row[i] /= float64(len(cs))
			}
		}
	}
	return out
}

// reach returns after how many evaluations the mean loss over images is first at most
// level (NaN: never). Image i counts weight[i] times.
func (c Curve) reach(weight []int, level float64) float64 {
	for k, row := range c.Loss {
		if weighted(row, weight) <= level {
			return float64(c.At[k])
		}
	}
	return math.NaN()
}

func weighted(v []float64, weight []int) float64 {
	sum, n := 0.0, 0
	for i, w := range weight {
		sum, n = sum+float64(w)*v[i], n+w
	}
	return sum / float64(n)
}

// share is the number of evaluations until the loss that the baseline ends with, as a
// part of those that the baseline was given, with its interval over images: both
// curves are of the same resampled images. NaN: not reached; an interval that is not
// defined for enough resamples is NaN too.
func share(c, baseline *Cell) (value, low, high float64) {
	stat := func(weight []int) float64 {
		budget := baseline.Runs[0].Recipe.Evaluations(baseline.Runs[0].Recipe.Steps)
		return c.Curve.reach(weight, weighted(baseline.Final, weight)) / float64(budget)
	}
	n := len(baseline.Final)
	value = stat(slices.Repeat([]int{1}, n))
	low, high, _ = evaluate.Bootstrap{Method: "percentile"}.Interval(n, stat)
	return value, low, high
}
