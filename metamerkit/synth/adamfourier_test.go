package synth

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Three steps of Adam in the metric are those of the formulas in float64; an image that is
// not active keeps its pixels and its means.
func TestAdamFourier(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	const n, steps = 4, 3
	per := n * n * 3
	for _, metric := range []string{"pixels", "1/f"} {
		o := adamFourier{}.Facts().Defaults
		o.Metric = metric
		x := tensors.FromFlatDataAndDimensions(make([]float32, 2*per), 2, n, n, 3)
		tensors.MustMutableFlatData(x, func(v []float32) {
			for i := range v {
				v[i] = 0.5
			}
		})
		shapes := adamFourier{}.State(o, x.Shape(), 1)
		mean, square := tensors.FromShape(shapes[0]), tensors.FromShape(shapes[1])
		want, m, v := make([]float64, per), make([]float64, per), 0.0
		for i := range want {
			want[i] = 0.5
		}
		for step := range steps {
			grad := backendtest.Normal(uint64(step+1), 2, n, n, 3)
			g := tensors.MustCopyFlatData[float32](MustExecOnce(b.Compute, func(g *Node) *Node { return smooth(g, metric) }, grad))[:per]
			rate := 0.5 * (1 + math.Cos(math.Pi*float64(step)/steps)) * o.StepSize
			sum := 0.0
			for _, d := range g {
				sum += float64(d) * float64(d) / float64(per)
			}
			v = o.Beta2*v + (1-o.Beta2)*sum
			for i, d := range g {
				m[i] = o.Momentum*m[i] + (1-o.Momentum)*float64(d)
				hat := m[i] / (1 - math.Pow(o.Momentum, float64(step+1))) / math.Sqrt(v/(1-math.Pow(o.Beta2, float64(step+1))))
				want[i] = min(max(want[i]-rate*hat, 0), 1)
			}
			coef := coefficients(metamer.Recipe{Optimizer: metamer.Optimizer{Name: "adam-fourier", StepSize: o.StepSize, Momentum: o.Momentum, Beta2: o.Beta2}, Steps: steps}, n, step)
			out := MustExecOnceN(b.Compute, func(in []*Node) []*Node {
				active := ConstTensor(in[0].Graph(), tensors.FromFlatDataAndDimensions([]bool{true, false}, 2))
				x, state := adamFourier{}.Step(Situation{Optimizer: o, Images: in[0], State: in[1:3], Gradient: in[3], Coefficients: in[4], Active: active})
				return append([]*Node{x}, state...)
			}, x, mean, square, grad, tensors.FromFlatDataAndDimensions(coef[:], numCoefficients))
			x, mean, square = out[0], out[1], out[2]
		}
		got := tensors.MustCopyFlatData[float32](x)
		for i, w := range want {
			if math.Abs(float64(got[i])-w) > 1e-5 {
				t.Fatalf("%s: pixel %d is %v, expected %v", metric, i, got[i], w)
			}
		}
		for i, p := range got[per:] {
			if p != 0.5 {
				t.Fatalf("%s: pixel %d of the image that is not active moved to %v", metric, i, p)
			}
		}
		if s := tensors.MustCopyFlatData[float32](square); s[1] != 0 || s[0] == 0 {
			t.Errorf("%s: mean squares %v, expected one above 0 and 0", metric, s)
		}
	}
}
