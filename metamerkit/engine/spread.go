package engine

import (
	"context"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// spread returns the rows of a run with variants that say how far these are apart
// (metamer.Run.Spread), for each reference at its first variant: variants/pixels,
// variants/ssim, the mean SSIM of two of them, and variants/start of the images that they
// began at.
func (e *Engine) spread(ctx context.Context, q Evaluation, p portrait) (rows metamer.Rows, err error) {
	v := p.run.Recipe.Variants
	if v == nil {
		return nil, nil
	}
	metamers, starts := p.run.Spread()
	few := func(int) string { return "fewer than two variants are metamers" }
	o := &observation{q: q, base: p.row()}
	if err := o.each("variants/pixels", metamers, few); err != nil {
		return nil, err
	}
	if p.run.Recipe.Images.Size >= metamer.SSIMWindow {
		alike, err := e.alike(ctx, p.run)
		if err != nil {
			return nil, err
		}
		if err := o.each("variants/ssim", alike, few); err != nil {
			return nil, err
		}
	}
	if err := o.each("variants/start", starts, few); err != nil {
		return nil, err
	}
	for i, r := range o.rows {
		if r.Image >= 0 {
			o.rows[i].Image *= v.Count
		}
	}
	return o.rows, nil
}

// alike is the mean SSIM of two variants of each reference, NaN where fewer than two count.
func (e *Engine) alike(ctx context.Context, run *metamer.Run) (mean []float64, err error) {
	r, err := e.runner([]string{"ssim"})
	if err != nil {
		return nil, err
	}
	size := run.Recipe.Images.Size
	per := size * size * 3
	for _, group := range run.VariantGroups() {
		var first, second []float32
		for n, i := range group {
			for _, j := range group[:n] {
				first, second = append(first, run.Metamers[i*per:(i+1)*per]...), append(second, run.Metamers[j*per:(j+1)*per]...)
			}
		}
		if len(first) == 0 {
			mean = append(mean, math.NaN())
			continue
		}
		var values [][]imgmetrics.Value
		err := e.device.do(ctx, func() (err error) {
			values, err = r.Measure(first, second, size, size)
			return err
		})
		if err != nil {
			return nil, err
		}
		sum := 0.0
		for _, v := range values {
			sum += v[0].V / float64(len(values))
		}
		mean = append(mean, sum)
	}
	return mean, nil
}
