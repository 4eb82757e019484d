package engine

import (
	"context"
	"math"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

// overPairs are the rows of the measures that describe a set by its pairs of images; /
// stands for the kind of similarity.
var overPairs = map[string][]string{
	"jsd": {"jsd/", "jsd-miller-madow/", "jsd-floor/", "jsd-nearest/"},
	"rsa": {"rsa/", "rsa-rank/"},
	"cka": {"cka", "cka-debiased"},
}

// withheld gives the rows of such a measure no values.
func (p *observation) withheld(measure, why string) {
	for _, name := range overPairs[measure] {
		if !strings.HasSuffix(name, "/") {
			p.none(name, why)
			continue
		}
		for _, kind := range p.q.Similarities {
			p.none(name+kind, why)
		}
	}
}

func (p *observation) jsd(ref, met *evaluate.Matrix) error {
	j, err := evaluate.NewJSD(ref, met, p.q.Bins, evaluate.Bootstrap(p.q.Bootstrap))
	reason, err := reasonOf(err)
	if err != nil {
		return err
	}
	nan := math.NaN()
	for i, name := range overPairs["jsd"] {
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

func (p *observation) rsa(ref, met *evaluate.Matrix) error {
	a, rank, noInterval, err := evaluate.RSA(ref, met, evaluate.Bootstrap(p.q.Bootstrap))
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

func (p *observation) cka(ctx context.Context) error {
	ref, err := p.ref.gram(ctx, false)
	if err != nil {
		return err
	}
	met, err := p.met.gram(ctx, false)
	if err != nil {
		return err
	}
	a, noInterval, err := evaluate.CKA(ref, met, evaluate.Bootstrap(p.q.Bootstrap))
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
