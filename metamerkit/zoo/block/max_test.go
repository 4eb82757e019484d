package block

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// Largest values and their gradient are those of GoMLX's own pool: overlapping windows
// and windows apart, sizes that do not divide, padding, a last window over the edge.
func TestMax(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	for _, w := range []Window{{K: 2, Stride: 2}, {K: 3, Stride: 2, Pad: 1}, {K: 3, Stride: 2}, {K: 3, Pad: 1}, {K: 2, Stride: 3}, {K: 3, Stride: 2, Ceil: true}, {K: 3, Stride: 2, Same: true}} {
		for _, size := range []int{8, 11} {
			t.Run(fmt.Sprintf("%+v_%d", w, size), func(t *testing.T) {
				x := noise(1, 2, size, size, 5)
				of := func(pool func(x *Node) *Node) []*tensors.Tensor {
					return MustExecOnceN(b.Compute, func(x *Node) []*Node {
						y := pool(x)
						v := ConstTensor(x.Graph(), noise(2, y.Shape().Dimensions...))
						return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, v)), x)...)
					}, x)
				}
				got := of(w.Max)
				want := of(func(x *Node) *Node {
					pads, _ := w.frame(x)
					return MaxPool(x).Window(w.K).Strides(w.stride()).PaddingPerDim(pads[:]).Done()
				})
				if !slices.Equal(tensors.MustCopyFlatData[float32](got[0]), tensors.MustCopyFlatData[float32](want[0])) {
					t.Error("other values than GoMLX's")
				}
				near(t, "gradient", got[1], want[1])
			})
		}
	}
}

// Of equal pixels the first gets the gradient, as in PyTorch:
// torch.nn.functional.max_pool2d(torch.zeros(1, 1, 4, 4), 3, 2, 1) with a gradient of 1.
func TestMaxOfEqual(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	got := MustExecOnce(b.Compute, func(x *Node) *Node {
		return Gradient(ReduceAllSum(Window{K: 3, Stride: 2, Pad: 1}.Max(x)), x)[0]
	}, tensors.FromFlatDataAndDimensions(make([]float32, 16), 1, 4, 4, 1))
	want := []float32{1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if v := tensors.MustCopyFlatData[float32](got); !slices.Equal(v, want) {
		t.Errorf("%v, expected %v", v, want)
	}
}
