package claims

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

const overImages = "Interval and test over images."

var enough = fmt.Sprintf("at least %d images", minUnits)

// pairsOf calls do for every ensemble and each set of one of its members.
func (t *table) pairsOf(do func(ensemble, single string)) {
	for _, e := range t.sets {
		if len(members(e)) < 2 {
			continue
		}
		for _, m := range members(e) {
			if slices.Contains(t.sets, m) {
				do(e, m)
			}
		}
	}
}

// basis says how much was compared.
func basis(m *mean, what, missing string) string {
	if m.n == 0 {
		return missing
	}
	return fmt.Sprintf("%d %s, %d images", m.n, what, len(m.sum))
}

// ensembles: for every ensemble, each of its members that is also a set of its own,
// every stage and every observer outside the ensemble, recognizability of the
// ensemble's metamer of an image minus that of the single model's.
func (t *table) ensembles(o Options) Claim {
	c := Claim{Name: "ensembles", Needs: "an ensemble with one of its members as a set of its own, an observer outside the ensemble, and " + enough, Unit: "of images", Text: "Ensembles' metamers are recognized more often than single models'",
		Test: "Recognizability of an ensemble's metamer minus that of a single model's (one of the ensemble's members), the same image, stage and observer, the observer outside the ensemble; mean over all such comparisons. " + overImages}
	m := newMean(t.images)
	t.pairsOf(func(e, s string) {
		for _, stage := range t.stages {
			for _, obs := range t.outside(e) {
				m.add([][]float64{t.recognized(e, stage, obs)}, [][]float64{t.recognized(s, stage, obs)})
			}
		}
	})
	c.Basis = basis(m, "pairs of runs and observers", "no ensemble, member of it as a set of its own, and observer outside to compare")
	c.settle(m.values(), o)
	return c
}

// late: for every ensemble of CNNs and each of its members that is a set of its own,
// and every observer outside: (ensemble at Late − ensemble at Early) − (single at
// Late − single at Early).
func (t *table) late(o Options) Claim {
	c := Claim{Name: "late", Needs: "an ensemble of CNNs with one of its members as a set of its own, both at early and late, an observer outside the ensemble, and " + enough, Unit: "of images", Text: "CNN ensembles keep recognizability at Late where single CNNs lose it",
		Test: "Change of recognizability from Early to Late of a CNN ensemble minus that of a single CNN (one of its members), the same image and observer, the observer outside the ensemble; mean over all such comparisons. " + overImages}
	m := newMean(t.images)
	t.pairsOf(func(e, s string) {
		if kind, _ := t.kind(e); kind != "cnn" {
			return
		}
		for _, obs := range t.outside(e) {
			m.add([][]float64{t.recognized(e, "late", obs), t.recognized(s, "early", obs)}, [][]float64{t.recognized(e, "early", obs), t.recognized(s, "late", obs)})
		}
	})
	c.Basis = basis(m, "pairs of sets and observers", "no CNN ensemble, member of it as a set of its own, and observer outside, at Early and Late")
	c.settle(m.values(), o)
	return c
}

// kinds calls do for each set of CNNs and each of transformers with as many members
// and the same training.
func (t *table) kinds(do func(cnn, transformer string)) {
	for _, a := range t.sets {
		kind, training := t.kind(a)
		if kind != "cnn" || training == "" {
			continue
		}
		for _, b := range t.sets {
			if k, tr := t.kind(b); k == "transformer" && tr == training && len(members(a)) == len(members(b)) {
				do(a, b)
			}
		}
	}
}

// natural: how far an image metric of a metamer lies from that of its reference, in
// standard deviations of the references' values, for CNNs minus for transformers.
func (t *table) natural(o Options) Claim {
	c := Claim{Name: "natural", Needs: "a set of CNNs and a set of transformers with as many members and the same training, image metrics, and " + enough, Unit: "standard deviations", Text: "Transformers' metamers look more natural by the image metrics",
		Test: "Distance of an image metric of the metamer from that of its reference, in standard deviations of the metric over the references: of a CNN set minus of a transformer set with as many members and the same training, the same image and stage; mean over all such pairs and all metrics that need no reference. " + overImages}
	m := newMean(t.images)
	used := map[string]bool{}
	t.kinds(func(cnn, transformer string) {
		for _, metric := range t.metrics {
			ref := t.each[cell{metric, "", "", ""}]
			sd := spread(ref)
			if !(sd > 0) {
				continue
			}
			away := func(set, stage string) []float64 {
				met := t.each[cell{metric, set, stage, ""}]
				if met == nil {
					return nil
				}
				out := make([]float64, len(met))
				for i := range out {
					out[i] = math.Abs(met[i]-ref[i]) / sd
				}
				return out
			}
			for _, stage := range t.stages {
				before := m.n
				m.add([][]float64{away(cnn, stage)}, [][]float64{away(transformer, stage)})
				used[metric] = used[metric] || m.n > before
			}
		}
	})
	n := 0
	for _, u := range used {
		if u {
			n++
		}
	}
	c.Basis = basis(m, fmt.Sprintf("pairs of runs and metrics (%d metrics)", n), "no image metrics of references and of sets of CNNs and transformers with as many members and the same training")
	c.settle(m.values(), o)
	return c
}

// spread is the standard deviation of the values that are numbers.
func spread(v []float64) float64 {
	var kept []float64
	for _, x := range v {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			kept = append(kept, x)
		}
	}
	if len(kept) < 2 {
		return 0
	}
	return stat.StdDev(kept, nil)
}

// transfer: recognizability of CNNs' metamers minus that of transformers', by
// observers outside both.
func (t *table) transfer(o Options) Claim {
	c := Claim{Name: "transfer", Needs: "a set of CNNs and a set of transformers with as many members and the same training, an observer outside both, and " + enough, Unit: "of images", Text: "Transformers' metamers transfer less to other models",
		Test: "Recognizability of a CNN set's metamer minus that of a transformer set's with as many members and the same training, the same image, stage and observer, the observer outside both sets; mean over all such comparisons. " + overImages}
	m := newMean(t.images)
	t.kinds(func(cnn, transformer string) {
		for _, stage := range t.stages {
			for _, obs := range t.outside(cnn, transformer) {
				m.add([][]float64{t.recognized(cnn, stage, obs)}, [][]float64{t.recognized(transformer, stage, obs)})
			}
		}
	})
	c.Basis = basis(m, "pairs of runs and observers", "no sets of CNNs and of transformers with as many members and the same training, and observer outside both")
	c.settle(m.values(), o)
	return c
}

// divergence: for every observer and stage, the mean JSD over the sets that it does
// not belong to minus that over those it does.
func (t *table) divergence(o Options) Claim {
	c := Claim{Name: "divergence", Needs: fmt.Sprintf("JSD of at least %d images and at least %d pairs of a stage and an observer that is a member of one set and not of another", metamer.MinImages, minUnits), Unit: "bits", Text: "The similarity distributions of non-members diverge more (JSD)",
		Test: "Mean JSD over the model sets that an observer does not belong to minus that over those it belongs to, at a stage; a difference for each observer and stage that has both. Interval and test over these, as if they were independent."}
	var d []float64
	for _, obs := range t.observers {
		for _, stage := range t.stages {
			var sum [2]float64
			var n [2]int
			for _, set := range t.sets {
				v, ok := t.overall[cell{o.JSD, set, stage, obs}]
				if !ok || math.IsNaN(v) {
					continue
				}
				k := 0
				if slices.Contains(members(set), obs) {
					k = 1
				}
				sum[k] += v
				n[k]++
			}
			if n[0] > 0 && n[1] > 0 {
				d = append(d, sum[0]/float64(n[0])-sum[1]/float64(n[1]))
			}
		}
	}
	c.Basis = "no observer is a member of one set and not of another at the same stage"
	if len(d) > 0 {
		c.Basis = fmt.Sprintf("%d observers and stages", len(d))
	}
	c.settle(d, o)
	return c
}
