package evaluate

import (
	"fmt"
	"math"
)

// Alignment is a measure of how similar the geometry of the metamers' activations is to
// that of the references' activations, for the same images and observer, with its bootstrap
// interval.
type Alignment struct{ Value, Low, High float64 }

// CKA is linear centred kernel alignment (Kornblith et al. 2019), tr(KL)/√(tr(KK)·tr(LL))
// of the centred Gram matrices K and L of references and metamers, in [0,1]. The interval
// resamples images; the text why gives the reason if there is none. Different numbers of
// images are an error; a measure without a value is Undefined.
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

// CKADebiased is CKA with the unbiased estimator of HSIC (Song et al. 2012), which does not
// grow with the dimension of the activations. It can be negative. Fewer than four images
// are Undefined.
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
// i stands w[i] times: with the row sums r and the sum s of K, Σ k² − 2/n Σ r² + s²/n²,
// and likewise. NaN where centring leaves no digits: all images drawn are alike.
func hsic(k, l [][]float64, w []int) (kk, kl, ll float64) {
	drawn := drawn(w)
	rows := make([][2]float64, len(k)) // of K and of L
	for at, i := range drawn {
		rowK, rowL := k[i], l[i]
		wi := float64(w[i])
		sum := [2]float64{wi * rowK[i], wi * rowL[i]}
		kk, kl, ll = kk+wi*wi*rowK[i]*rowK[i], kl+wi*wi*rowK[i]*rowL[i], ll+wi*wi*rowL[i]*rowL[i]
		var off [3]float64
		for _, j := range drawn[at+1:] {
			wj, a, b := float64(w[j]), rowK[j], rowL[j]
			sum[0], sum[1] = sum[0]+wj*a, sum[1]+wj*b
			rows[j][0], rows[j][1] = rows[j][0]+wi*a, rows[j][1]+wi*b
			off[0], off[1], off[2] = off[0]+wj*a*a, off[1]+wj*a*b, off[2]+wj*b*b
		}
		rows[i][0], rows[i][1] = rows[i][0]+sum[0], rows[i][1]+sum[1]
		kk, kl, ll = kk+2*wi*off[0], kl+2*wi*off[1], ll+2*wi*off[2]
	}
	count, allK, allL, rr := 0.0, 0.0, 0.0, [3]float64{}
	for _, i := range drawn {
		wi, a, b := float64(w[i]), rows[i][0], rows[i][1]
		count, allK, allL = count+wi, allK+wi*a, allL+wi*b
		rr[0], rr[1], rr[2] = rr[0]+wi*a*a, rr[1]+wi*a*b, rr[2]+wi*b*b
	}
	centred := func(whole, rows, a, b float64) float64 { return whole - 2*rows/count + a*b/(count*count) }
	alike := func(centred, whole float64) float64 {
		if !(centred > 1e-13*whole) {
			return math.NaN()
		}
		return centred
	}
	return alike(centred(kk, rr[0], allK, allK), kk), centred(kl, rr[1], allK, allL), alike(centred(ll, rr[2], allL, allL), ll)
}

// drawn lists the images that a resample holds.
func drawn(w []int) []int {
	out := make([]int, 0, len(w))
	for i, v := range w {
		if v > 0 {
			out = append(out, i)
		}
	}
	return out
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

// RSA is the Pearson correlation, over all pairs of images, of the similarities of
// references with those of their metamers, in [-1,1] (Kriegeskorte et al. 2008, with
// similarities instead of dissimilarities). The interval is that of the Pearson correlation
// and resamples images; the text why gives the reason if there is none. The result rank is
// Spearman's correlation.
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
	a, why, err = withInterval(ref.N, b, "all similarities are equal", func(w []int) float64 { return correlationOf(p, q, w) })
	if err != nil {
		return a, 0, why, err
	}
	return a, correlation(ranks(p), ranks(q)), why, nil
}

// correlationOf is the Pearson correlation of values of the pairs i < j, row by row,
// of images of which image i stands w[i] times; NaN where one side is constant.
func correlationOf(p, q []float64, w []int) float64 {
	n, drawn := len(w), drawn(w)
	count, sumP, sumQ := 0.0, 0.0, 0.0
	loP, hiP, loQ, hiQ := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for at, i := range drawn {
		first := i*(2*n-i-1)/2 - i - 1 // first+j is the pair (i,j)
		for _, j := range drawn[at+1:] {
			v, a, b := float64(w[i]*w[j]), p[first+j], q[first+j]
			count, sumP, sumQ = count+v, sumP+v*a, sumQ+v*b
			loP, hiP, loQ, hiQ = min(loP, a), max(hiP, a), min(loQ, b), max(hiQ, b)
		}
	}
	if !(loP < hiP && loQ < hiQ) {
		return math.NaN()
	}
	meanP, meanQ := sumP/count, sumQ/count
	var pp, pq, qq float64
	for at, i := range drawn {
		first := i*(2*n-i-1)/2 - i - 1
		for _, j := range drawn[at+1:] {
			v, a, b := float64(w[i]*w[j]), p[first+j]-meanP, q[first+j]-meanQ
			pp, pq, qq = pp+v*a*a, pq+v*a*b, qq+v*b*b
		}
	}
	return clamp(pq / math.Sqrt(pp*qq))
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
