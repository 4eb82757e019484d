package synth

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// fourierBasis returns the orthonormal real Fourier basis of n samples as rows of a matrix
// [n,n], and the number of periods in each row: a constant, pairs of cosine and sine,
// and for even n the cosine that alternates.
func fourierBasis(n int) (basis, periods []float64) {
	for row := range n {
		k := (row + 1) / 2
		scale := math.Sqrt(2 / float64(n))
		if k == 0 || 2*k == n {
			scale = math.Sqrt(1 / float64(n))
		}
		for i := range n {
			angle := 2 * math.Pi * float64(k*i%n) / float64(n)
			wave := math.Cos(angle)
			if row > 0 && row%2 == 0 {
				wave = math.Sin(angle)
			}
			basis = append(basis, scale*wave)
		}
		periods = append(periods, float64(k))
	}
	return basis, periods
}

// chroma is how much differences between colour channels are moved, in the metric
// natural, beside what channels have in common.
const chroma = 0.5

// smooth applies the inverse of an optimiser's metric to g [B,S,S,C]. For 1/f it
// multiplies the 2-D spectrum of every channel by 1/max(k,1), with k periods across
// the image: of two changes that lower the loss alike, the one of few periods is
// made. Image spectra fall like that. For natural it halves the differences of the
// channels to their mean as well, for images vary in lightness more than in colour.
// For pixels it returns g.
//
// A multiplier that is even in both frequencies is diagonal in products of the real
// Fourier basis, so the transforms are products with constant matrices: what every
// backend does well, whereas the Go backend has no FFT.
func smooth(g *Node, metric string) *Node {
	if metric == "pixels" {
		return g
	}
	if metric == "natural" {
		mean := BroadcastToShape(ReduceAndKeep(g, ReduceMean, 3), g.Shape())
		g = Add(mean, MulScalar(Sub(g, mean), chroma))
	}
	n, d := g.Shape().Dim(1), g.Shape().Dimensions
	basis, periods := fourierBasis(n)
	forward, back, weight := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	for i := range n {
		for j := range n {
			forward[i*n+j], back[j*n+i] = float32(basis[i*n+j]), float32(basis[i*n+j])
			weight[i*n+j] = float32(1 / max(math.Hypot(periods[i], periods[j]), 1))
		}
	}
	matrix := func(v []float32, dims ...int) *Node {
		return ConstTensor(g.Graph(), tensors.FromFlatDataAndDimensions(v, dims...))
	}
	// turn multiplies the last axis of [B,C,n,n] by a matrix and swaps the last two, so
	// that two turns are m·X·mᵀ.
	turn := func(x *Node, m []float32) *Node {
		x = MatMul(Reshape(x, -1, n), matrix(m, n, n))
		return Transpose(Reshape(x, d[0], d[3], n, n), 2, 3)
	}
	x := TransposeAllAxes(g, 0, 3, 1, 2)
	x = turn(turn(x, back), back)
	x = Mul(x, matrix(weight, 1, 1, n, n))
	x = turn(turn(x, forward), forward)
	return TransposeAllAxes(x, 0, 2, 3, 1)
}
