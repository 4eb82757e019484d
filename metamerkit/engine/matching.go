package engine

import (
	"context"
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// success tests the metamers against the null distribution.
func (p *observation) success(ctx context.Context) error {
	null, err := p.ref.e.null(ctx, p.u.observer, p.u.null)
	if err != nil {
		return err
	}
	if err := p.met.finish(ctx); err != nil {
		return err
	}
	n := p.ref.n
	measures := []string{"success", "match/relative-l2", "match/pearson", "match/spearman", "match/snr", "match/p-pearson", "match/p-spearman", "match/p-snr"}
	untested := null.Untested()
	tested := func(v float64) float64 {
		if untested != "" {
			return math.NaN()
		}
		return v
	}
	got, reasons := make([][]float64, len(measures)), make([]string, n)
	for from := 0; from < n; from += p.ref.batch {
		to := min(from+p.ref.batch, n)
		a, err := p.ref.Read(ctx, from, to)
		if err != nil {
			return err
		}
		b, err := p.met.Read(ctx, from, to)
		if err != nil {
			return err
		}
		for i, ev := range null.TestEach(from, evaluate.NewVectors(a), evaluate.NewVectors(b), p.ref.classesOf(from, to), p.met.classesOf(from, to)) {
			pass := 0.0
			if ev.Verdict == metamer.Pass {
				pass = 1
			}
			one := []float64{tested(pass), ev.Loss, ev.Pearson, ev.Spearman, ev.SNR, tested(ev.PPearson), tested(ev.PSpearman), tested(ev.PSNR)}
			if untested != "" {
				reasons[from+i] = metamer.NotTested + ": " + untested
			}
			if ev.Loss == math.MaxFloat64 {
				reasons[from+i] = "the activations are not finite"
				for k := range one[1:] {
					one[1+k] = math.NaN()
				}
			}
			for k, v := range one {
				got[k] = append(got[k], v)
			}
		}
	}
	for k, m := range measures {
		if err := p.each(m, got[k], func(i int) string { return reasons[i] }); err != nil {
			return err
		}
	}
	return nil
}

// classesOf are the classes of images, -1 for an observer without a classifier.
func (r *reading) classesOf(from, to int) []int {
	if r.logits < 0 {
		return slices.Repeat([]int{-1}, to-from)
	}
	return r.classes[from:to]
}
