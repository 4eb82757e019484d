//go:build cgo && linux && amd64

package backend_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// withOneDNN opens XLA's CPU plugin with oneDNN.
func withOneDNN(t *testing.T) *backend.Backend {
	t.Helper()
	b := backendtest.Open(t, backend.XLA)
	if file, _, err := backend.OneDNNFile(backend.XLA); err != nil {
		t.Fatal(err)
	} else if file == "" {
		pathstest.Missing(t, "oneDNN is not here: make setup-onednn brings it")
	}
	if b.OneDNN == "" {
		t.Skipf("this processor has no instructions for bfloat16: %s", b.Notice)
	}
	return b
}

// Convolutions and products of bfloat16, and their gradients by the image, are given to oneDNN
// and are XLA's of the same numbers in float32, but for the rounding of results.
func TestOneDNN(t *testing.T) {
	b := withOneDNN(t)
	convolution := func(stride, pad, groups int) func(x, k *Node) *Node {
		return func(x, k *Node) *Node {
			return Convolve(x, k).Strides(stride).PaddingPerDim([][2]int{{pad, pad}, {pad, pad}}).ChannelGroupCount(groups).Done()
		}
	}
	attention := func(x, k *Node) *Node { // [B,T,H,D]: scores of each head
		return Dot(x, k).WithAccumulatorDType(dtypes.InvalidDType).General([]int{3}, []int{0, 2}, []int{3}, []int{0, 2})
	}
	product := func(x, k *Node) *Node {
		return Dot(x, k).WithAccumulatorDType(dtypes.InvalidDType).General([]int{2}, nil, []int{0}, nil)
	}
	for _, c := range []struct {
		name string
		f    func(x, k *Node) *Node
		x, k *tensors.Tensor
		all  int64 // operations that oneDNN computes, result and gradient
	}{
		{"3x3", convolution(1, 1, 1), backendtest.Normal(1, 3, 14, 14, 32), backendtest.Normal(2, 3, 3, 32, 48), 2},
		{"3x3 stride 2", convolution(2, 1, 1), backendtest.Normal(1, 3, 15, 14, 32), backendtest.Normal(2, 3, 3, 32, 48), 2},
		{"7x7 stride 2", convolution(2, 3, 1), backendtest.Normal(1, 2, 32, 32, 3), backendtest.Normal(2, 7, 7, 3, 16), 2},
		{"depthwise", convolution(1, 3, 24), backendtest.Normal(1, 2, 14, 14, 24), backendtest.Normal(2, 7, 7, 1, 24), 1},
		{"product", product, backendtest.Normal(1, 2, 100, 64), backendtest.Normal(2, 64, 96), 2},
		{"attention", attention, backendtest.Normal(1, 2, 50, 3, 32), backendtest.Normal(2, 2, 50, 3, 32), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := func(typ dtypes.DType) []*tensors.Tensor {
				return MustExecOnceN(b.Compute, func(x, k *Node) []*Node {
					x, k = ConvertDType(ConvertDType(x, dtypes.BFloat16), typ), ConvertDType(ConvertDType(k, dtypes.BFloat16), typ)
					y := c.f(x, k)
					out := []*Node{y}
					if c.all > 1 {
						out = append(out, Gradient(ReduceAllSum(Mul(StopGradient(y), y)), x)[0])
					}
					for i := range out {
						out[i] = ConvertDType(out[i], dtypes.Float32)
					}
					return out
				}, c.x, c.k)
			}
			want := of(dtypes.Float32)
			before := backend.Rewritten()
			got := of(dtypes.BFloat16)
			if n := backend.Rewritten() - before; n < c.all {
				t.Errorf("oneDNN computes %d operations, expected %d: has go-xla's text changed?", n, c.all)
			}
			for i := range want {
				var off, norm float64
				w := tensors.MustCopyFlatData[float32](want[i])
				for j, v := range tensors.MustCopyFlatData[float32](got[i]) {
					off += math.Pow(float64(v-w[j]), 2)
					norm += math.Pow(float64(w[j]), 2)
				}
				if r := math.Sqrt(off / norm); !(r < 1e-2 && r > 0) {
					t.Errorf("output %d is off by %g of its norm, expected up to 1e-2 and not nothing", i, r)
				}
			}
		})
	}
}

// An image's convolution does not depend on the other images of its batch.
func TestOneDNNAlone(t *testing.T) {
	b := withOneDNN(t)
	k := backendtest.Normal(2, 3, 3, 64, 64)
	of := func(x *tensors.Tensor) []float32 {
		y := MustExecOnce(b.Compute, func(x, k *Node) *Node {
			return ConvertDType(Convolve(ConvertDType(x, dtypes.BFloat16), ConvertDType(k, dtypes.BFloat16)).PadSame().Done(), dtypes.Float32)
		}, x, k)
		return tensors.MustCopyFlatData[float32](y)
	}
	x := backendtest.Normal(1, 5, 14, 14, 64)
	all, pixels := of(x), tensors.MustCopyFlatData[float32](x)
	for i := range 5 {
		one := len(pixels) / 5
		for j, v := range of(tensors.FromFlatDataAndDimensions(pixels[i*one:(i+1)*one], 1, 14, 14, 64)) {
			if v != all[i*one+j] {
				t.Fatalf("image %d alone has %g, beside others %g", i, v, all[i*one+j])
			}
		}
	}
}
