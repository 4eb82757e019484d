package block

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// Attention in one kernel and its gradients agree with products in float32, to the
// rounding of bfloat16.
func TestFusedAttention(t *testing.T) {
	b := backendtest.Open(t, backend.CUDA)
	for _, tokens := range []int{64, 197} {
		fused := false
		gradients := func(dtype dtypes.DType) []*tensors.Tensor {
			return MustExecOnceN(b.Compute, func(q, k, v, w *Node) []*Node {
				in := func(x *Node) *Node { return ConvertDType(ConvertDType(x, dtypes.BFloat16), dtype) }
				fused = hasFusedAttention(in(q), in(k))
				y := Attend(in(q), in(k), in(v), nil)
				loss := ReduceAllSum(Mul(wide(y), w))
				return append(Gradient(loss, q, k, v), wide(y))
			}, noise(1, 2, tokens, 3, 64), noise(2, 2, tokens, 3, 64), noise(3, 2, tokens, 3, 64), noise(4, 2, tokens, 3*64))
		}
		want := gradients(dtypes.Float32)
		if fused {
			t.Fatal("float32 is said to have attention in one kernel")
		}
		got := gradients(dtypes.BFloat16)
		if !fused {
			t.Fatal("bfloat16 is not said to have attention in one kernel")
		}
		for i, name := range []string{"dq", "dk", "dv", "y"} {
			var square, sum float64
			tensors.MustConstFlatData(want[i], func(x []float32) {
				tensors.MustConstFlatData(got[i], func(y []float32) {
					for j := range x {
						square += math.Pow(float64(y[j]-x[j]), 2)
						sum += math.Pow(float64(x[j]), 2)
					}
				})
			})
			d := math.Sqrt(square / sum)
			t.Logf("%d tokens, %s: relative L2 distance %.2g", tokens, name, d)
			if !(d < 1e-2) {
				t.Errorf("%d tokens, %s: relative L2 distance %.2g, expected less than .01", tokens, name, d)
			}
		}
	}
}
