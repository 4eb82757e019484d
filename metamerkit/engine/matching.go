package engine

import (
	"context"
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

func (p *page) success(ctx context.Context) error {
	values, err := p.ref.gram(ctx, false)
	if err != nil {
		return err
	}
	ranks, err := p.ref.gram(ctx, true)
	if err != nil {
		return err
	}
	if err := p.met.finish(ctx); err != nil {
		return err
	}
	null, err := evaluate.NullFrom(p.base.Observer, values, ranks, p.u.run.Recipe.WithDefaults().NullPairs, p.u.run.Recipe.Seed)
	if err != nil {
		return err
	}
	n := p.ref.n
	measures := []string{"success", "match/relative-l2", "match/pearson", "match/spearman", "match/snr"}
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
		for i, ev := range evaluate.JudgeEach(from, null, evaluate.NewVectors(a), evaluate.NewVectors(b), p.ref.classesOf(from, to), p.met.classesOf(from, to)) {
			pass := map[string]float64{"pass": 1, "fail": 0, "none": math.NaN()}[ev.Verdict]
			one := []float64{pass, ev.Loss, ev.Pearson, ev.Spearman, ev.SNR}
			if reasons[from+i] = "a single image has no null distribution"; ev.Loss == math.MaxFloat64 {
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
