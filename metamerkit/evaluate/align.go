package evaluate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Alignment says how alike the geometry of the metamers' activations is to that of
// the references': the same observer, the same images.
type Alignment struct{ Value, Low, High float64 }

// CKA is linear centred kernel alignment (Kornblith et al. 2019): with the Gram
// matrices K, L of references and metamers, centred, tr(KL)/√(tr(KK)·tr(LL)), in
// [0,1].
func CKA(ref, met *Gram, b Bootstrap) (a Alignment, why string, err error) {
	if err := alike(ref, met); err != nil {
		return Alignment{}, "", err
	}
	k, l, err := products(ref, met)
	if err != nil {
		return Alignment{}, "", err
	}
	return withInterval(ref.N, b, "all activations are equal", func(w []int) float64 {
		kk, kl, ll := hsic(k, l, w)
		return kl / math.Sqrt(kk*ll)
	})
}

// CKADebiased is CKA with the unbiased estimate of HSIC (Song et al. 2012), which
// does not rise with the number of values an activation has. It needs four images
// and may be below 0.
func CKADebiased(ref, met *Gram) (float64, error) {
	if err := alike(ref, met); err != nil {
		return 0, err
	}
	if ref.N < 4 {
		return 0, undefined("%d images, expected at least 4", ref.N)
	}
	k, l, err := products(ref, met)
	if err != nil {
		return 0, err
	}
	v := hsic1(k, l) / math.Sqrt(hsic1(k, k)*hsic1(l, l))
	if math.IsNaN(v) {
		return 0, undefined("all activations are equal")
	}
	return v, nil
}

// hsic1 is the unbiased estimator of HSIC.
func hsic1(k, l [][]float64) float64 {
	n := float64(len(k))
	trace, sumK, sumL, cross := 0.0, 0.0, 0.0, 0.0
	for i := range k {
		rowK, rowL := 0.0, 0.0
		for j := range k {
			if i != j {
				trace += k[i][j] * l[i][j]
				rowK += k[i][j]
				rowL += l[i][j]
			}
		}
		sumK, sumL, cross = sumK+rowK, sumL+rowL, cross+rowK*rowL
	}
	return (trace + sumK*sumL/((n-1)*(n-2)) - 2*cross/(n-2)) / (n * (n - 3))
}

// hsic returns the sums over all pairs of the centred K·K, K·L and L·L, where image
// i stands w[i] times.
func hsic(k, l [][]float64, w []int) (kk, kl, ll float64) {
	n := len(k)
	rowK, rowL := make([]float64, n), make([]float64, n)
	count, allK, allL := 0.0, 0.0, 0.0
	for i := range n {
		if w[i] == 0 {
			continue
		}
		for j, wj := range w {
			rowK[i] += float64(wj) * k[i][j]
			rowL[i] += float64(wj) * l[i][j]
		}
		wi := float64(w[i])
		count, allK, allL = count+wi, allK+wi*rowK[i], allL+wi*rowL[i]
	}
	for i := range n {
		for j := range n {
			if w[i] == 0 || w[j] == 0 {
				continue
			}
			ww := float64(w[i] * w[j])
			a := k[i][j] - (rowK[i]+rowK[j])/count + allK/(count*count)
			b := l[i][j] - (rowL[i]+rowL[j])/count + allL/(count*count)
			kk, kl, ll = kk+ww*a*a, kl+ww*a*b, ll+ww*b*b
		}
	}
	return kk, kl, ll
}

// products are the two matrices of inner products, centred (which changes neither
// kind of CKA and keeps the digits that a common offset would cost) and scaled.
func products(ref, met *Gram) (k, l [][]float64, err error) {
	out := make([][][]float64, 2)
	for m, g := range []*Gram{ref, met} {
		row, all, n := make([]float64, g.N), 0.0, float64(g.N)
		out[m] = make([][]float64, g.N)
		for i := range g.N {
			if g.flaw[i] == infinite {
				return nil, nil, undefined("the activation of image %d is not finite", i)
			}
			out[m][i] = make([]float64, g.N)
			for j := range g.N {
				out[m][i][j] = g.Product(i, j)
				row[i] += out[m][i][j] / n
			}
			all += row[i] / n
		}
		scale := 0.0
		for i := range g.N {
			scale += (g.Product(i, i) - 2*row[i] + all) / n
		}
		if !(scale > 1e-12*all) {
			return nil, nil, undefined("the activations of all images are equal")
		}
		for i := range g.N {
			for j := range g.N {
				out[m][i][j] = (out[m][i][j] - row[i] - row[j] + all) / scale
			}
		}
	}
	return out[0], out[1], nil
}

func alike(ref, met *Gram) error {
	if ref.N != met.N || ref.Dim != met.Dim {
		return fmt.Errorf("evaluate: %d references with %d values and %d metamers with %d cannot be compared", ref.N, ref.Dim, met.N, met.Dim)
	}
	if ref.N < 3 {
		return undefined("%d images, expected at least 3", ref.N)
	}
	return nil
}

// RSA is the correlation of the similarities of all pairs of references with those
// of their metamers (Kriegeskorte et al. 2008, with similarities for
// dissimilarities). rank is Spearman's, of the whole; Value and its interval are
// Pearson's.
func RSA(ref, met *Matrix, b Bootstrap) (a Alignment, rank float64, why string, err error) {
	if ref.N != met.N || ref.Kind != met.Kind {
		return Alignment{}, 0, "", fmt.Errorf("evaluate: %s similarities of %d references and %s similarities of %d metamers cannot be compared", ref.Kind, ref.N, met.Kind, met.N)
	}
	p, err := ref.Pairs()
	if err != nil {
		return Alignment{}, 0, "", prefix("references: ", err)
	}
	q, err := met.Pairs()
	if err != nil {
		return Alignment{}, 0, "", prefix("metamers: ", err)
	}
	weight := make([]float64, len(p))
	a, why, err = withInterval(ref.N, b, "all similarities are equal", func(w []int) float64 {
		at := 0
		for i := range w {
			for _, wj := range w[i+1:] {
				weight[at] = float64(w[i] * wj)
				at++
			}
		}
		return correlationOf(p, q, weight)
	})
	if err != nil {
		return a, 0, why, err
	}
	return a, correlation(ranks(p), ranks(q)), why, nil
}

// correlationOf is the weighted Pearson correlation; NaN where one side is constant.
func correlationOf(p, q, weight []float64) float64 {
	first, vary := -1, [2]bool{}
	for i, w := range weight {
		switch {
		case w == 0:
		case first < 0:
			first = i
		default:
			vary[0], vary[1] = vary[0] || p[i] != p[first], vary[1] || q[i] != q[first]
		}
	}
	if !vary[0] || !vary[1] {
		return math.NaN()
	}
	return clamp(stat.Correlation(p, q, weight))
}

// withInterval computes a statistic and its interval; why says why there is none.
func withInterval(n int, b Bootstrap, undefinedWhen string, s Statistic) (a Alignment, why string, err error) {
	one := make([]int, n)
	for i := range one {
		one[i] = 1
	}
	a = Alignment{Value: s(one), Low: math.NaN(), High: math.NaN()}
	if math.IsNaN(a.Value) {
		return a, "", Undefined(undefinedWhen)
	}
	a.Low, a.High, err = b.ofPairs().Interval(n, s)
	a.Low, a.High = max(min(a.Low, a.Value), -1), min(max(a.High, a.Value), 1) // as in NewJSD
	if u, ok := err.(Undefined); ok {
		return a, string(u), nil
	}
	return a, "", err
}
