package block

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

func noise(seed uint64, dims ...int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// slope returns the value of f at x, and its gradient's product with the direction
// d beside the central finite difference along d.
func slope(b *backend.Backend, f func(x *Node) *Node, x, d *tensors.Tensor) (analytic, numeric float64) {
	along := func(h float32) float64 {
		moved := make([]float32, x.Size())
		dv := tensors.MustCopyFlatData[float32](d)
		for i, v := range tensors.MustCopyFlatData[float32](x) {
			moved[i] = v + h*dv[i]
		}
		g := NewGraph(b.Compute, "value")
		in := Parameter(g, "x", x.Shape())
		if err := g.Compile(f(in)); err != nil {
			panic(err)
		}
		return float64(tensors.ToScalar[float32](g.Run(tensors.FromFlatDataAndDimensions(moved, x.Shape().Dimensions...))[0]))
	}
	g := NewGraph(b.Compute, "gradient")
	in, dir := Parameter(g, "x", x.Shape()), Parameter(g, "d", d.Shape())
	grad := Gradient(f(in), in)[0]
	if err := g.Compile(ReduceAllSum(Mul(grad, dir))); err != nil {
		panic(err)
	}
	local := func(t *tensors.Tensor) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions...)
	}
	const h = 1e-2
	return float64(tensors.ToScalar[float32](g.Run(local(x), local(d))[0])), (along(h) - along(-h)) / (2 * h)
}

// The image gradient of every convolution that models use agrees with finite
// differences: odd and even kernels, strides, padding.
func TestConvolutionGradient(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, c := range []struct{ k, stride, pad int }{{1, 1, 0}, {1, 2, 0}, {3, 1, 1}, {3, 2, 1}, {5, 2, 2}, {7, 2, 3}, {2, 2, 0}, {4, 4, 0}, {4, 2, 1}, {2, 1, 1}, {16, 16, 0}} {
			t.Run(fmt.Sprintf("k%d_s%d_p%d", c.k, c.stride, c.pad), func(t *testing.T) {
				size := max(12, c.k*2)
				kernel, target := noise(2, c.k, c.k, 3, 4), uint64(3)
				f := func(x *Node) *Node {
					y := convolve(x, ConstTensor(x.Graph(), kernel), c.stride, c.pad)
					w := noise(target, y.Shape().Dimensions...)
					return ReduceAllSum(Mul(y, ConstTensor(x.Graph(), w)))
				}
				analytic, numeric := slope(b, f, noise(1, 2, size, size, 3), noise(4, 2, size, size, 3))
				if d := math.Abs(analytic - numeric); !(d <= 1e-2*(math.Abs(numeric)+1)) {
					t.Errorf("gradient along a direction is %v, finite differences give %v", analytic, numeric)
				}
			})
		}
	})
}

// GoMLX's own convolution has a wrong image gradient for even kernels, which
// convolve goes around. When this test fails the defect is gone upstream: remove
// the zero padding in convolve and in package onnx, and the note in
// docs/upstream.md.
func TestEvenKernelDefectIsStillThere(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	kernel := noise(2, 4, 4, 3, 4)
	f := func(x *Node) *Node {
		y := Convolve(x, ConstTensor(x.Graph(), kernel)).Strides(2).PaddingPerDim([][2]int{{1, 1}, {1, 1}}).Done()
		return ReduceAllSum(Mul(y, ConstTensor(x.Graph(), noise(3, y.Shape().Dimensions...))))
	}
	analytic, numeric := slope(b, f, noise(1, 2, 12, 12, 3), noise(4, 2, 12, 12, 3))
	if math.Abs(analytic-numeric) <= 1e-2*(math.Abs(numeric)+1) {
		t.Errorf("fixed upstream: gradient %v, finite differences %v", analytic, numeric)
	}
}

// The Go backend's patches give what XLA's convolution gives.
func TestPatches(t *testing.T) {
	x, k := noise(1, 2, 9, 9, 3), noise(2, 3, 3, 3, 5)
	run := func(b *backend.Backend) []float32 {
		g := NewGraph(b.Compute, "convolution")
		in := Parameter(g, "x", shapes.Make(dtypes.Float32, 2, 9, 9, 3))
		if err := g.Compile(convolve(in, ConstTensor(g, tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](k), 3, 3, 3, 5)), 2, 1)); err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](g.Run(tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](x), 2, 9, 9, 3))[0])
	}
	a, b := run(backendtest.Open(t, backend.Go)), run(backendtest.Open(t, backend.XLA))
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-4 {
			t.Fatalf("value %d: %v and %v", i, a[i], b[i])
		}
	}
}
