// Package evaluate measures metamers and tests whether they match their references.
package evaluate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Vector is a flattened activation with precomputed values that its comparisons share.
type Vector struct {
	values, ranks []float64
	power         float64 // Σ v²
}

// NewVector prepares a flattened activation.
func NewVector(act []float32) Vector {
	v := Vector{values: make([]float64, len(act))}
	for i, a := range act {
		v.values[i] = float64(a)
		v.power += v.values[i] * v.values[i]
	}
	v.ranks = ranks(v.values)
	return v
}

// NewVectors prepares one flattened activation per image.
func NewVectors(acts [][]float32) []Vector {
	out := make([]Vector, len(acts))
	split(len(acts), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = NewVector(acts[i])
		}
	})
	return out
}

// ranks are 1-based, ties averaged, as scipy.stats.rankdata has them; all 0 when v
// holds a NaN.
func ranks(v []float64) []float64 {
	if slices.ContainsFunc(v, math.IsNaN) {
		return make([]float64, len(v))
	}
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case v[a] < v[b]:
			return -1
		case v[a] > v[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

// Pearson returns the correlation of two activations of equal length, in [-1,1]. It is 0 if
// one of them is constant or not finite.
func Pearson(a, b Vector) float64 { return correlation(a.values, b.values) }

// Spearman returns the rank correlation of two activations of equal length, in [-1,1], with
// ties averaged. It is 0 if one of them is constant or not finite.
func Spearman(a, b Vector) float64 { return correlation(a.ranks, b.ranks) }

// RankCorrelation is Spearman's correlation of two lists of equal length, with ties
// averaged; NaN if one of them is constant or holds a NaN.
func RankCorrelation(a, b []float64) float64 {
	ra, rb := ranks(a), ranks(b)
	if constant(ra) || constant(rb) {
		return math.NaN()
	}
	return correlation(ra, rb)
}

func correlation(a, b []float64) float64 {
	if constant(a) || constant(b) {
		return 0 // rounding of the mean would otherwise give anything
	}
	if r := stat.Correlation(a, b, nil); !math.IsNaN(r) {
		return r
	}
	return 0
}

func constant(v []float64) bool {
	return len(v) == 0 || slices.Min(v) == slices.Max(v)
}

// maxSNR bounds SNR, so that equal activations have a number that JSON can hold.
const maxSNR = 300

// SNR returns the signal-to-noise ratio 10·log10(Σ ref² / Σ (ref−v)²) in dB (Feather et al.
// 2023), clipped to ±300. It is 300 for equal activations and -300 for activations that are
// not finite.
func SNR(ref, v Vector) float64 {
	n := noise(ref, v)
	if n == 0 {
		return maxSNR
	}
	snr := 10 * math.Log10(ref.power/n)
	if math.IsNaN(snr) {
		return -maxSNR
	}
	return min(max(snr, -maxSNR), maxSNR)
}

// Relative returns the relative L2 distance ‖v−ref‖/‖ref‖, at least 0: 0 for two zero
// vectors, and the largest float64 for activations that are not finite (JSON has no
// infinity).
func Relative(ref, v Vector) float64 {
	n := noise(ref, v)
	if n == 0 {
		return 0
	}
	if r := math.Sqrt(n / max(ref.power, 1e-24)); r <= math.MaxFloat64 {
		return r
	}
	return math.MaxFloat64
}

func noise(a, b Vector) (sum float64) {
	for i, v := range a.values {
		sum += (v - b.values[i]) * (v - b.values[i])
	}
	return sum
}

// Test compares the metamer of one image with its reference at one member. The verdict is
// Pass if Pearson, Spearman and SNR each exceed the values of all pairs of the null
// distribution and the class is the same. A class of -1 means that the model has no
// classifier.
func (n *Null) Test(image int, ref, met Vector, refClass, class int) metamer.MatchStatistics {
	e := metamer.MatchStatistics{
		Image: image, Member: n.Member, RefClass: refClass, Class: class, SameClass: refClass == class && class >= 0,
		Loss: Relative(ref, met), Pearson: Pearson(ref, met), Spearman: Spearman(ref, met), SNR: SNR(ref, met),
	}
	if why := n.Untested(); why != "" {
		e.Verdict, e.Why = metamer.NotTested, why
		return e
	}
	var why []string
	if e.Loss == math.MaxFloat64 {
		why = append(why, "activations that are not finite")
	}
	against := func(what string, v, bound float64, null []float64) float64 {
		if !(v > bound) {
			why = append(why, fmt.Sprintf("%s %.3f is not above the null's %.3f", what, v, bound))
		}
		return pValue(null, v)
	}
	e.PPearson = against("Pearson", e.Pearson, n.Pearson, n.pearson)
	e.PSpearman = against("Spearman", e.Spearman, n.Spearman, n.spearman)
	e.PSNR = against("SNR", e.SNR, n.SNR, n.snr)
	if class >= 0 && !e.SameClass {
		why = append(why, "another class")
	}
	e.Verdict, e.Why = metamer.Pass, strings.Join(why, "; ")
	if why != nil {
		e.Verdict = metamer.Fail
	}
	return e
}

// TestEach runs Test for several images concurrently. The first of them has the index
// first.
func (n *Null) TestEach(first int, refs, mets []Vector, refClasses, classes []int) []metamer.MatchStatistics {
	out := make([]metamer.MatchStatistics, len(mets))
	split(len(mets), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = n.Test(first+i, refs[i], mets[i], refClasses[i], classes[i])
		}
	})
	return out
}
