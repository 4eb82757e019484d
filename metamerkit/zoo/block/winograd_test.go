package block

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// Convolutions by tiles and by filters, and their gradients, are those of XLA's own
// convolution: even and odd sizes, paddings, images that are cut into parts and bands.
func TestForms(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	for _, c := range []struct{ batch, h, w, pad, in, out int }{
		{3, 8, 8, 1, 32, 48}, {2, 7, 9, 1, 40, 32}, {2, 7, 7, 0, 32, 32}, {2, 5, 6, 2, 33, 64}, {1, 3, 3, 0, 64, 64},
		{5, 32, 31, 1, 32, 256}, {1, 6, 1100, 1, 32, 300},
	} {
		t.Run(fmt.Sprintf("%dx%dx%dx%d_p%d_o%d", c.batch, c.h, c.w, c.in, c.pad, c.out), func(t *testing.T) {
			w := Window{K: 3, Pad: c.pad}
			x, k := noise(1, c.batch, c.h, c.w, c.in), noise(2, 3, 3, c.in, c.out)
			v := noise(3, c.batch, c.h+2*c.pad-2, c.w+2*c.pad-2, c.out)
			of := func(conv func(x, k *Node) *Node) []*tensors.Tensor {
				return MustExecOnceN(b.Compute, func(x, k, v *Node) []*Node {
					y := conv(x, k)
					return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, v)), x, k)...)
				}, x, k, v)
			}
			want := of(func(x, k *Node) *Node {
				p, _ := w.frame(x)
				return Convolve(x, k).PaddingPerDim(p[:]).Done()
			})
			for i, got := range of(func(x, k *Node) *Node { return w.tiled(x, k) }) {
				near(t, []string{"result", "gradient by the image", "gradient by the kernel"}[i], got, want[i])
			}
			frozen := func(x, k *Node) *Node {
				k = StopGradient(k)
				return w.byFilter(x, transformed(k), transformed(turned(k)))
			}
			for i, got := range of(frozen)[:2] {
				near(t, []string{"result by filters", "gradient by filters"}[i], got, want[i])
			}
		})
	}
}

// near wants two tensors that are equal to 1e-5 of their norm.
func near(t *testing.T, what string, got, want *tensors.Tensor) {
	t.Helper()
	a, b := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	if !got.Shape().Equal(want.Shape()) {
		t.Fatalf("%s has the shape %s, expected %s", what, got.Shape(), want.Shape())
	}
	var d, n float64
	for i := range a {
		d += math.Pow(float64(a[i]-b[i]), 2)
		n += math.Pow(float64(b[i]), 2)
	}
	if r := math.Sqrt(d / n); !(r < 1e-5) {
		t.Errorf("%s is off by %.1e of its norm", what, r)
	}
}

// The pages of models use tiles and filters where they are worth it, and only there.
func TestWhichForm(t *testing.T) {
	on := func(kind backend.Kind, w Window, size, in, out int, training bool) bool {
		b := backendtest.Open(t, kind)
		x := Parameter(NewGraph(b.Compute, "minimal"), "x", noise(1, 1, size, size, in).Shape())
		return w.minimal(x, out, training)
	}
	three := Window{K: 3, Pad: 1}
	for _, c := range []struct {
		kind          backend.Kind
		w             Window
		size, in, out int
		want          bool
	}{
		{backend.XLA, three, 7, 512, 512, true}, {backend.XLA, three, 28, 128, 128, true}, {backend.XLA, three, 56, 512, 512, false},
		{backend.XLA, three, 28, 64, 128, false}, {backend.XLA, three, 8, 192, 192, false},
		{backend.XLA, Window{K: 3, Pad: 1, Stride: 2}, 14, 512, 512, false}, {backend.Go, three, 7, 512, 512, false},
	} {
		b := backendtest.Open(t, c.kind)
		x := Parameter(NewGraph(b.Compute, "filtered"), "x", noise(1, 1, c.size, c.size, c.in).Shape())
		if got := c.w.filtered(x, c.out); got != c.want {
			t.Errorf("%s, %+v, %d², %d to %d: by filters %v", c.kind, c.w, c.size, c.in, c.out, got)
		}
	}
	for _, c := range []struct {
		kind          backend.Kind
		w             Window
		size, in, out int
		training      bool
		want          bool
	}{
		{backend.XLA, three, 16, 32, 32, true, true},
		{backend.XLA, three, 16, 32, 32, false, false},
		{backend.XLA, three, 32, 16, 16, true, false},
		{backend.XLA, Window{K: 3, Pad: 1, Stride: 2}, 14, 256, 256, true, false},
		{backend.XLA, Window{K: 3, Pad: 3}, 14, 256, 256, true, false},
		{backend.XLA, Window{K: 5, Pad: 2}, 14, 256, 256, true, false},
		{backend.Go, three, 14, 256, 256, true, false},
	} {
		if got := on(c.kind, c.w, c.size, c.in, c.out, c.training); got != c.want {
			t.Errorf("%s, %+v, %d², %d to %d, training %v: %v", c.kind, c.w, c.size, c.in, c.out, c.training, got)
		}
	}
}

// Filters are for float32: a network in bfloat16 has XLA's convolution, or oneDNN's.
func TestFilteredFloat32(t *testing.T) {
	g := NewGraph(backendtest.Open(t, backend.XLA).Compute, "filtered")
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, 4, 14, 14, 256))
	if w := (Window{K: 3, Pad: 1}); !w.filtered(x, 256) || w.filtered(ConvertDType(x, dtypes.BFloat16), 256) {
		t.Error("expected filters in float32 alone")
	}
}
