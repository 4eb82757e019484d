package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// McNemar is the exact two-sided McNemar test (1947) of two outcomes of the same images.
// Values are 0, 1 or NaN for images without an outcome, which are left out. The results
// onlyA and onlyB count the images with a 1 in only one of them. Any other value and slices
// of different length are an error.
func McNemar(a, b []float64) (onlyA, onlyB int, p float64, err error) {
	if len(a) != len(b) {
		return 0, 0, 0, fmt.Errorf("evaluate: %d and %d images cannot be paired", len(a), len(b))
	}
	for i := range a {
		for _, v := range []float64{a[i], b[i]} {
			if v != 0 && v != 1 && !math.IsNaN(v) {
				return 0, 0, 0, fmt.Errorf("evaluate: McNemar's test of the value %v of image %d, expected 0 or 1", v, i)
			}
		}
		switch {
		case a[i] == 1 && b[i] == 0:
			onlyA++
		case a[i] == 0 && b[i] == 1:
			onlyB++
		}
	}
	n, k := onlyA+onlyB, min(onlyA, onlyB)
	p = 0
	for i := range k + 1 {
		lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
		p += math.Exp(lg(n) - lg(i) - lg(n-i) - float64(n)*math.Ln2)
	}
	return onlyA, onlyB, min(2*p, 1), nil
}

// Wilcoxon is the two-sided signed-rank test of paired differences (Wilcoxon 1945). The
// result w is the smaller sum of ranks. The p value is exact for up to 50 differences
// without ties, otherwise from the normal approximation with a tie correction and without a
// continuity correction. Zeros and NaN are left out. If no difference remains, the error is
// Undefined.
func Wilcoxon(differences []float64) (w, p float64, err error) {
	var abs []float64
	var positive []bool
	for _, d := range differences {
		if d != 0 && !math.IsNaN(d) {
			abs, positive = append(abs, math.Abs(d)), append(positive, d > 0)
		}
	}
	n := len(abs)
	if n == 0 {
		return math.NaN(), math.NaN(), undefined("no pair differs")
	}
	r := ranks(abs)
	plus := 0.0
	for i, v := range r {
		if positive[i] {
			plus += v
		}
	}
	all := float64(n) * float64(n+1) / 2
	w = min(plus, all-plus)
	ties := 0.0
	slices.Sort(abs)
	for i := 0; i < n; {
		j := i
		for j < n && abs[j] == abs[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	if ties == 0 && n <= 50 {
		return w, signedRank(n, int(w)), nil
	}
	sd := math.Sqrt((float64(n)*float64(n+1)*float64(2*n+1) - ties/2) / 24)
	return w, min(2*distuv.UnitNormal.CDF((w-all/2)/sd), 1), nil
}

// signedRank is the two-sided probability that a sum of ranks is at most w.
func signedRank(n, w int) float64 {
	ways := make([]float64, n*(n+1)/2+1) // subsets of 1 … n with each sum
	ways[0] = 1
	for r := 1; r <= n; r++ {
		for s := len(ways) - 1; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	sum := 0.0
	for _, v := range ways[:w+1] {
		sum += v
	}
	return min(2*sum/math.Exp2(float64(n)), 1)
}

// Holm returns p values corrected for multiple comparisons by Holm's method (1979): p ≤
// 0.05 then controls the family-wise error. NaN stays NaN and is not counted.
func Holm(p []float64) []float64 {
	out := slices.Clone(p)
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	worst := 0.0
	for k, i := range order {
		worst = max(worst, min(p[i]*float64(len(order)-k), 1))
		out[i] = worst
	}
	return out
}

// Difference returns the mean of a − b over the images that have a value in both (NaN:
// none), the bootstrap interval of the mean, and the number of these images. The slices
// have one value per image and equal length.
func Difference(a, b []float64, boot Bootstrap) (mean, low, high float64, count int, err error) {
	if len(a) != len(b) {
		return math.NaN(), math.NaN(), math.NaN(), 0, fmt.Errorf("evaluate: %d and %d images cannot be paired", len(a), len(b))
	}
	var d []float64
	for i := range a {
		if v := a[i] - b[i]; !math.IsNaN(v) {
			d = append(d, v)
		}
	}
	if len(d) == 0 {
		return math.NaN(), math.NaN(), math.NaN(), 0, undefined("no image has both values")
	}
	mean = total(d) / float64(len(d))
	low, high, err = boot.Interval(len(d), func(w []int) float64 {
		sum, n := 0.0, 0
		for i, k := range w {
			sum, n = sum+float64(k)*d[i], n+k
		}
		return sum / float64(n)
	})
	return mean, low, high, len(d), err
}
