package imgmetrics

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/stat"
)

// firstRing is the lowest frequency of the fit, in cycles over the shorter side:
// the window mixes those below with the mean.
const firstRing = 2

var spectralSlope = Metric{
	Name: "spectral-slope", Title: "Spectral slope α (1/f^α)", Better: Neither, Noise: Falls, Blur: Rises, JPEG: Mixed,
	Cite:    "van der Schaaf & van Hateren 1996; Field 1987: minus the slope of log power over log frequency; natural images have about 2, white noise 0",
	Agrees:  "NumPy (fft2) and SciPy (stats.linregress)",
	Defined: atLeast(8, "a line needs frequencies 2 to %d/2"),
	Stats: func(f *Frame) *Node {
		g := f.Images.Graph()
		y := f.Luma()
		y = Sub(y, ReduceAndKeep(y, ReduceMean, 1, 2))
		y = Mul(Mul(y, Const(g, [][][]float64{column(hann(f.H))})), Const(g, [][][]float64{{hann(f.W)}}))
		// A real signal's spectrum is symmetric: half of it is enough.
		half := f.W/2 + 1
		cosW, sinW := waves(g, f.W, half)
		cosH, sinH := waves(g, f.H, f.H)
		across := func(m *Node) *Node { return DotGeneral(y, []int{2}, nil, m, []int{0}, nil) }  // [B,H,half]
		down := func(m, x *Node) *Node { return DotGeneral(m, []int{0}, nil, x, []int{1}, nil) } // [H,B,half]
		re := Sub(down(cosH, across(cosW)), down(sinH, across(sinW)))
		im := Add(down(sinH, across(cosW)), down(cosH, across(sinW)))
		power := Mul(Add(Square(re), Square(im)), Const(g, [][][]float64{{halfWeights(f.W)}}))
		power = TransposeAllAxes(power, 0, 2, 1) // [H,half,B]
		index, _, rings := ringsOf(f.H, f.W)
		sums := Scatter(Const(g, index), Reshape(power, f.H*half, f.B), shapes.Make(dtypes.Float64, rings, f.B), false, false)
		return TransposeAllAxes(sums, 1, 0)
	},
	Value: func(sums []float64, h, w int) Value {
		_, weight, rings := ringsOf(h, w)
		var x, y []float64
		for k := firstRing; k < rings-1; k++ {
			// Rounding leaves a little power where there is none.
			if e := 255 * float64(h*w); !(sums[k]/weight[k] > 1e-28*e*e) {
				return undefined("no power at %d cycles a side: the image is constant or periodic", k)
			}
			x, y = append(x, math.Log(float64(k))), append(y, math.Log(sums[k]/weight[k]))
		}
		_, slope := stat.LinearRegression(x, y, nil, false)
		return Value{V: -slope}
	},
}

func hann(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
	}
	return w
}

func column(v []float64) [][]float64 {
	out := make([][]float64, len(v))
	for i, x := range v {
		out[i] = []float64{x}
	}
	return out
}

// waves returns the matrices [n,m] of cos and sin 2πjk/n.
func waves(g *Graph, n, m int) (c, s *Node) {
	cos, sin := make([][]float64, n), make([][]float64, n)
	for j := range n {
		cos[j], sin[j] = make([]float64, m), make([]float64, m)
		for k := range m {
			sin[j][k], cos[j][k] = math.Sincos(2 * math.Pi * float64(j*k%n) / float64(n))
		}
	}
	return Const(g, cos), Const(g, sin)
}

// halfWeights says for how many columns of a whole spectrum each of its half's w/2+1
// columns stands.
func halfWeights(w int) []float64 {
	out := make([]float64, w/2+1)
	for j := range out {
		out[j] = 2
		if j == 0 || 2*j == w {
			out[j] = 1
		}
	}
	return out
}

// ringsOf sorts the frequencies of half a spectrum [h,w/2+1] by their rounded
// distance from 0 in cycles over the shorter side: a ring's index for each
// frequency, and how many frequencies of the whole spectrum are in each ring. What
// lies beyond Nyquist goes into a last ring that nobody reads.
func ringsOf(h, w int) (index [][]int32, count []float64, rings int) {
	side := float64(min(h, w))
	rings = min(h, w)/2 + 2
	count = make([]float64, rings)
	weight := halfWeights(w)
	for i := range h {
		fy := float64(i) / float64(h)
		if i > h/2 {
			fy--
		}
		for j := range w/2 + 1 {
			k := min(int(math.Round(side*math.Hypot(fy, float64(j)/float64(w)))), rings-1)
			index = append(index, []int32{int32(k)})
			count[k] += weight[j]
		}
	}
	return index, count, rings
}
