package engine

import (
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// spread returns the rows of a run with variants that say how far these are apart
// (metamer.Run.Spread), for each reference at its first variant: variants/pixels, and
// variants/start of the images that they began at.
func spread(q Evaluation, p portrait) (rows metamer.Rows, err error) {
	if p.run.Recipe.Variants == nil {
		return nil, nil
	}
	metamers, starts := p.run.Spread()
	few := func(int) string { return "fewer than two variants are metamers" }
	o := &observation{q: q, base: p.row()}
	if err := o.each("variants/pixels", metamers, few); err != nil {
		return nil, err
	}
	if err := o.each("variants/start", starts, few); err != nil {
		return nil, err
	}
	for i, r := range o.rows {
		if r.Image >= 0 {
			o.rows[i].Image *= p.run.Recipe.Variants.Count
		}
	}
	return o.rows, nil
}
