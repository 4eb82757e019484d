package engine

import (
	"cmp"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// apart returns the rows of a run against other models, from the match statistics that it
// holds. Of each of these models as an observer: apart, which is 1 for an image that is a
// metamer for every member and not for this model, and apart/correlation, 1 − Pearson's
// correlation at this model where the image is a metamer for every member. Without an
// observer: apart for all of these models together, and the mean of apart/correlation over them.
func apart(q Evaluation, p portrait) (metamer.Rows, error) {
	run := p.run
	if len(run.Against) == 0 {
		return nil, nil
	}
	o := &observation{q: q, base: p.row()}
	match, whole := run.Outcomes(), run.Apart()
	n := len(match)
	why := func(of []string) func(i int) string {
		return func(i int) string {
			if of[i] == metamer.Fail {
				return "the image is not a metamer for every member"
			}
			return metamer.NotTested
		}
	}
	value := func(outcome string) float64 {
		switch outcome {
		case metamer.Pass:
			return 1
		case metamer.Fail:
			return 0
		}
		return math.NaN()
	}
	sum, others := make([]float64, n), float64(len(run.Recipe.Against.Models))
	for _, name := range run.Recipe.Against.Names() {
		parted, difference := make([]float64, n), make([]float64, n)
		for _, s := range run.Against {
			if s.Member != name {
				continue
			}
			parted[s.Image], difference[s.Image] = math.NaN(), math.NaN()
			switch {
			case match[s.Image] == metamer.Pass:
				difference[s.Image] = 1 - s.Pearson
				parted[s.Image] = 1 - value(cmp.Or(s.Verdict, metamer.NotTested))
			case match[s.Image] == metamer.Fail:
				parted[s.Image] = 0
			}
		}
		o.base.Observer = name
		if err := o.each("apart", parted, why(match)); err != nil {
			return nil, err
		}
		if err := o.each("apart/correlation", difference, why(match)); err != nil {
			return nil, err
		}
		for i, v := range difference {
			sum[i] += v / others
		}
	}
	all := make([]float64, n)
	for i, outcome := range whole {
		all[i] = value(outcome)
	}
	o.base.Observer = ""
	if err := o.each("apart", all, why(whole)); err != nil {
		return nil, err
	}
	err := o.each("apart/correlation", sum, why(match))
	return o.rows, err
}
