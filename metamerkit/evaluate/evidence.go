// Package evaluate judges metamers: here, whether they are any.
package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Vector is an activation with what its comparisons share.
type Vector struct {
	values, ranks []float64
	power         float64 // Σ v²
}

// NewVector prepares an activation, flattened.
func NewVector(act []float32) Vector {
	v := Vector{values: make([]float64, len(act))}
	for i, a := range act {
		v.values[i] = float64(a)
		v.power += v.values[i] * v.values[i]
	}
	v.ranks = ranks(v.values)
	return v
}

// NewVectors prepares activations.
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

// Pearson is the correlation of two activations; 0 when one is constant or not finite.
func Pearson(a, b Vector) float64 { return correlation(a.values, b.values) }

// Spearman is the correlation of their ranks; 0 when one is constant.
func Spearman(a, b Vector) float64 { return correlation(a.ranks, b.ranks) }

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

// SNR is 10·log10(Σ ref² / Σ (ref−v)²) in dB (Feather et al. 2023), within ±300:
// 300 for equal activations, -300 for activations that are not finite.
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

// Relative is the relative L2 distance ‖v−ref‖/‖ref‖; 0 for two zero vectors, the
// largest float64 (JSON has no infinity) for activations that are not finite.
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

// nullStream keeps the pairs of the null apart from other draws of the same seed.
const nullStream = 0x6e756c6c

// NullOf measures random ordered pairs of different images (all pairs when there
// are no more than asked for) and returns the largest value each measure reached.
func NullOf(member string, acts []Vector, pairs int, seed uint64) metamer.Null {
	null, err := NullOver(member, len(acts), max(len(acts), 1), pairs, seed, func(from, to int) ([]Vector, error) { return acts[from:to], nil })
	if err != nil {
		panic("evaluate: " + err.Error()) // slicing has none
	}
	return null
}

// NullOver is NullOf of n images of which no more than two blocks of size images are
// held at a time: read gives those from up to to, block by block and again as needed,
// k blocks k(k+1)/2 times at most.
func NullOver(member string, n, size, pairs int, seed uint64, read func(from, to int) ([]Vector, error)) (metamer.Null, error) {
	null := metamer.Null{Member: member, Pearson: -1, Spearman: -1, SNR: -maxSNR}
	rng := rand.New(rand.NewPCG(seed, nullStream))
	of := map[[2]int][][2]int{} // pairs of images by pair of blocks, the later first
	for _, k := range pick(rng, n*(n-1), pairs) {
		i, j := k/(n-1), k%(n-1)
		if j >= i {
			j++
		}
		null.Pairs++
		at := [2]int{max(i, j) / size, min(i, j) / size}
		of[at] = append(of[at], [2]int{i, j})
	}
	block := func(b int) ([]Vector, error) { return read(b*size, min((b+1)*size, n)) }
	for a := 0; a*size < n; a++ {
		var left []Vector
		for b := a; b >= 0; b-- {
			list := of[[2]int{a, b}]
			if list == nil {
				continue
			}
			var err error
			if left == nil {
				if left, err = block(a); err != nil {
					return null, err
				}
			}
			right := left
			if b != a {
				if right, err = block(b); err != nil {
					return null, err
				}
			}
			in := func(i int) Vector {
				if i/size == a {
					return left[i-a*size]
				}
				return right[i-b*size]
			}
			got := make([][3]float64, len(list))
			split(len(list), func(from, to int) {
				for k := from; k < to; k++ {
					x, y := in(list[k][0]), in(list[k][1])
					got[k] = [3]float64{Pearson(x, y), Spearman(x, y), SNR(x, y)}
				}
			})
			for _, v := range got {
				null.Pearson, null.Spearman, null.SNR = max(null.Pearson, v[0]), max(null.Spearman, v[1]), max(null.SNR, v[2])
			}
		}
	}
	return null, nil
}

// pick returns k different numbers below n, all of them when k ≥ n.
func pick(rng *rand.Rand, n, k int) []int {
	if k >= n {
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		return out
	}
	seen := map[int]bool{}
	out := make([]int, 0, k)
	for len(out) < k {
		if v := rng.IntN(n); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// Judge compares the metamer of one image with its reference at one member. It
// passes when all three measures lie above the null and the class is the same.
// Without pairs (a set of one image) the verdict is "none".
func Judge(image int, null metamer.Null, ref, met Vector, refClass, class int) metamer.Evidence {
	e := metamer.Evidence{
		Image: image, Member: null.Member, RefClass: refClass, Class: class, SameClass: refClass == class && class >= 0,
		Loss: Relative(ref, met), Pearson: Pearson(ref, met), Spearman: Spearman(ref, met), SNR: SNR(ref, met),
	}
	if null.Pairs == 0 {
		e.Verdict, e.Why = "none", "a single image has no null distribution"
		return e
	}
	var why []string
	if e.Loss == math.MaxFloat64 {
		why = append(why, "activations that are not finite")
	}
	above := func(what string, v, bound float64) {
		if !(v > bound) {
			why = append(why, fmt.Sprintf("%s %.3f is not above the null's %.3f", what, v, bound))
		}
	}
	above("Pearson", e.Pearson, null.Pearson)
	above("Spearman", e.Spearman, null.Spearman)
	above("SNR", e.SNR, null.SNR)
	if class >= 0 && !e.SameClass {
		why = append(why, "another class")
	}
	e.Verdict, e.Why = "pass", strings.Join(why, "; ")
	if why != nil {
		e.Verdict = "fail"
	}
	return e
}

// JudgeEach is Judge of several images from the first on, side by side.
func JudgeEach(first int, null metamer.Null, refs, mets []Vector, refClasses, classes []int) []metamer.Evidence {
	out := make([]metamer.Evidence, len(mets))
	split(len(mets), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = Judge(first+i, null, refs[i], mets[i], refClasses[i], classes[i])
		}
	})
	return out
}
