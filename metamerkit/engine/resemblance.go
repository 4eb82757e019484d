package engine

import (
	"context"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

func (p *page) jsd(ref, met *evaluate.Matrix) error {
	j, err := evaluate.NewJSD(ref, met, p.q.Bins, p.q.Bootstrap)
	names := []string{"jsd/", "jsd-miller-madow/", "jsd-floor/", "jsd-nearest/"}
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	nan := math.NaN()
	for i, name := range names {
		if reason != "" {
			p.none(name+ref.Kind, reason)
			continue
		}
		low, high, why := nan, nan, ""
		if i == 0 {
			low, high, why = j.Low, j.High, j.NoInterval
		}
		p.add(name+ref.Kind, []float64{j.Value, j.MillerMadow, j.Floor, j.Nearest}[i], low, high, ref.N, why)
	}
	return nil
}

func (p *page) rsa(ref, met *evaluate.Matrix) error {
	a, rank, noInterval, err := evaluate.RSA(ref, met, p.q.Bootstrap)
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	if reason != "" {
		p.none("rsa/"+ref.Kind, reason)
		return nil
	}
	p.add("rsa/"+ref.Kind, a.Value, a.Low, a.High, ref.N, noInterval)
	p.add("rsa-rank/"+ref.Kind, rank, math.NaN(), math.NaN(), ref.N, "")
	return nil
}

func (p *page) cka(ctx context.Context) error {
	ref, err := p.ref.gram(ctx, false)
	if err != nil {
		return err
	}
	met, err := p.met.gram(ctx, false)
	if err != nil {
		return err
	}
	a, noInterval, err := evaluate.CKA(ref, met, p.q.Bootstrap)
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	if reason != "" {
		p.none("cka", reason)
	} else {
		p.add("cka", a.Value, a.Low, a.High, ref.N, noInterval)
	}
	v, err := evaluate.CKADebiased(ref, met)
	if reason, err = reasonOf(err); err != nil {
		return err
	}
	if reason != "" {
		p.none("cka-debiased", reason)
	} else {
		p.add("cka-debiased", v, math.NaN(), math.NaN(), ref.N, "")
	}
	return nil
}
