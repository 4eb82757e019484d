package claims

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Comparison is one measure of two model sets at one stage, over the same images and
// the same observers.
type Comparison struct {
	Measure   string
	Stage     string
	A, B      string   // model sets, members joined by +
	Observers []string // that belong to neither set; none: an image metric
	Images    int      // that have both values
	// Difference is the mean over images of A's value minus B's, each the mean over the
	// observers, with its 95 % interval over images.
	Difference, Low, High float64
	Test                  string  // McNemar or Wilcoxon
	P, Holm               float64 // two-sided; Holm is P corrected for the number of comparisons
	Why                   string  // why there are no numbers
}

// Compare holds every two model sets of the rows against each other, stage by stage, by
// a measure that has a value an image (recognizability and its variants, success,
// match/…, an image metric). Shares of one observer are tested by McNemar's test, all else
// by Wilcoxon's; p is corrected for the number of comparisons that could be made (Holm).
// Rows must be of one run a set and stage.
func Compare(rows metamer.Rows, measure string, b evaluate.Bootstrap) ([]Comparison, error) {
	t, err := newTable(rows, nil)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(rows, func(r metamer.Row) bool { return r.Measure == measure && r.Image >= 0 && r.Set != "" }) {
		return nil, fmt.Errorf("claims: no row has the measure %s of a single image: sets are compared image by image", measure)
	}
	slices.SortStableFunc(t.stages, func(a, b string) int { return depth(a) - depth(b) })
	var list []Comparison
	var p []float64
	for _, stage := range t.stages {
		for i, a := range t.sets {
			for _, other := range t.sets[i+1:] {
				c := Comparison{Measure: measure, Stage: stage, A: a, B: other}
				if err := t.compare(&c, b); err != nil {
					return nil, err
				}
				list, p = append(list, c), append(p, c.P)
			}
		}
	}
	for i, v := range evaluate.Holm(p) {
		list[i].Holm = v
	}
	return list, nil
}

// depth orders early, middle and late, and layers behind them.
func depth(stage string) int {
	if i := slices.Index(metamer.Stages, stage); i >= 0 {
		return i
	}
	return len(metamer.Stages)
}

// compare fills in the numbers, or why there are none.
func (t *table) compare(c *Comparison, b evaluate.Bootstrap) error {
	nan := math.NaN()
	c.Difference, c.Low, c.High, c.P = nan, nan, nan, nan
	metric := t.each[cell{c.Measure, c.A, c.Stage, ""}] != nil
	observers := t.outside(c.A, c.B)
	if metric {
		observers = []string{""}
	}
	one, two := newMean(t.images), newMean(t.images)
	for _, o := range observers {
		x, y := t.each[cell{c.Measure, c.A, c.Stage, o}], t.each[cell{c.Measure, c.B, c.Stage, o}]
		if x == nil || y == nil {
			continue
		}
		one.add([][]float64{x}, nil)
		two.add([][]float64{y}, nil)
		if !metric {
			c.Observers = append(c.Observers, o)
		}
	}
	if one.n == 0 {
		c.Why = "no observer that belongs to neither set has values of both"
		if metric {
			c.Why = "not measured of both sets"
		}
		return nil
	}
	x, y := one.values(), two.values()
	var err error
	c.Difference, c.Low, c.High, c.Images, err = evaluate.Difference(x, y, b)
	var undefined evaluate.Undefined
	if u, ok := err.(evaluate.Undefined); ok {
		undefined = u
	} else if err != nil {
		return fmt.Errorf("claims: %s of {%s} and {%s} at %s: %w", c.Measure, c.A, c.B, c.Stage, err)
	}
	c.Why = string(undefined)
	if c.Images == 0 {
		return nil
	}
	if one.n == 1 && shares(x) && shares(y) {
		c.Test = "McNemar"
		_, _, c.P, err = evaluate.McNemar(x, y)
		return err
	}
	d := make([]float64, len(x))
	for i := range d {
		d[i] = x[i] - y[i]
	}
	c.Test = "Wilcoxon"
	if _, c.P, err = evaluate.Wilcoxon(d); err != nil { // no image differs
		c.P = 1
	}
	return nil
}

// shares reports whether all values are 0 or 1, as those of shares are.
func shares(v []float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return x != 0 && x != 1 && !math.IsNaN(x) })
}

// String is the comparison on one line.
func (c Comparison) String() string {
	what := fmt.Sprintf("%s, %s: {%s} − {%s}", c.Measure, c.Stage, c.A, c.B)
	if math.IsNaN(c.Difference) {
		return what + ": not compared (" + c.Why + ")"
	}
	by := ""
	if len(c.Observers) > 0 {
		by = " by " + strings.Join(c.Observers, ", ")
	}
	interval := c.Why
	if !math.IsNaN(c.Low) {
		interval = fmt.Sprintf("95 %% interval %+.3f to %+.3f", c.Low, c.High)
	}
	return fmt.Sprintf("%s: %+.3f (%s, p = %.2g, corrected %.2g; %s, %d images%s)", what, c.Difference, interval, c.P, c.Holm, c.Test, c.Images, by)
}
