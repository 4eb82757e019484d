//go:build cgo && linux && amd64

package backend_test

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/onednn"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// withOneDNN opens XLA's CPU plugin with oneDNN.
func withOneDNN(t *testing.T) *backend.Backend {
	t.Helper()
	b := backendtest.Open(t, backend.XLA)
	if file, _, err := backend.OneDNNFile(b.Plugin); err != nil {
		t.Fatal(err)
	} else if file == "" {
		pathstest.Missing(t, "oneDNN is not here: make setup brings it")
	}
	if b.OneDNN == "" {
		t.Fatal(b.Notice)
	}
	return b
}

// bfloat16 is slow where Linux lists no avx512_bf16 among the processor's flags, which every
// processor with AMX has too.
func TestSlowBFloat16(t *testing.T) {
	b := withOneDNN(t)
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if want := !strings.Contains(string(cpu), " avx512_bf16"); b.SlowBFloat16() != want {
		t.Errorf("bfloat16 is slow: %t, expected %t", b.SlowBFloat16(), want)
	}
}

// Convolutions and products, and their gradients by the image, are given to oneDNN, and are
// those of pure Go of the same numbers, but for the rounding of results.
func TestOneDNN(t *testing.T) {
	b, plain := withOneDNN(t), backendtest.Open(t, backend.Go)
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
		{"one image", convolution(1, 1, 1), backendtest.Normal(1, 1, 14, 14, 32), backendtest.Normal(2, 3, 3, 32, 48), 2},
		{"one image, stride 2", convolution(2, 1, 1), backendtest.Normal(1, 1, 29, 28, 32), backendtest.Normal(2, 3, 3, 32, 48), 2},
		{"one image, 5x5 stride 3", convolution(3, 2, 1), backendtest.Normal(1, 1, 41, 40, 16), backendtest.Normal(2, 5, 5, 16, 32), 2},
		{"one image, 7x7 stride 2", convolution(2, 3, 1), backendtest.Normal(1, 1, 45, 45, 3), backendtest.Normal(2, 7, 7, 3, 16), 2},
		{"one image, 3x3 stride 4", convolution(4, 1, 1), backendtest.Normal(1, 1, 45, 45, 8), backendtest.Normal(2, 3, 3, 8, 16), 2},
		{"7x7 stride 2", convolution(2, 3, 1), backendtest.Normal(1, 2, 32, 32, 3), backendtest.Normal(2, 7, 7, 3, 16), 2},
		{"depthwise", convolution(1, 3, 24), backendtest.Normal(1, 2, 14, 14, 24), backendtest.Normal(2, 7, 7, 1, 24), 1},
		{"depthwise stride 2", convolution(2, 1, 24), backendtest.Normal(1, 1, 30, 29, 24), backendtest.Normal(2, 3, 3, 1, 24), 1},
		{"product", product, backendtest.Normal(1, 2, 100, 64), backendtest.Normal(2, 64, 96), 2},
		{"attention", attention, backendtest.Normal(1, 2, 50, 3, 32), backendtest.Normal(2, 2, 50, 3, 32), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := func(b *backend.Backend, typ dtypes.DType) []*tensors.Tensor {
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
				}, clone(c.x), clone(c.k))
			}
			want := of(plain, dtypes.Float32)
			for _, typ := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
				most := 1e-5
				if typ == dtypes.BFloat16 {
					if most = 1e-2; !onednn.Computes(typ) {
						continue
					}
				}
				before := backend.Rewritten()
				got := of(b, typ)
				if n := backend.Rewritten() - before; n < c.all {
					t.Errorf("%s: oneDNN computes %d operations, expected %d: has go-xla's text changed?", typ, n, c.all)
				}
				for i := range want {
					if r := distance(got[i], want[i]); !(r < most && (r > 0 || typ == dtypes.Float32)) {
						t.Errorf("%s: output %d is off by %g of its norm, expected up to %g, and of bfloat16 not nothing", typ, i, r, most)
					}
				}
			}
		})
	}
}

// Sizes, kernels, strides and paddings of all kinds.
func TestOneDNNGeometries(t *testing.T) {
	b, plain := withOneDNN(t), backendtest.Open(t, backend.Go)
	rng := rand.New(rand.NewPCG(1, 7))
	pick := func(of ...int) int { return of[rng.IntN(len(of))] }
	before := backend.Rewritten()
	for i := range uint64(40) {
		size, kernel, stride := [2]int{7 + rng.IntN(34), 7 + rng.IntN(20)}, [2]int{1 + rng.IntN(7), 1 + rng.IntN(7)}, [2]int{1 + rng.IntN(4), 1 + rng.IntN(4)}
		in, out, groups := pick(1, 3, 8, 17), pick(1, 4, 16, 33), 1
		if i%3 == 0 {
			in = 4 * in
			groups, out = in/pick(1, 2, 4), in
		}
		var pads [][2]int
		for _, k := range kernel {
			pads = append(pads, [2]int{rng.IntN(k), rng.IntN(k)})
		}
		x, k := backendtest.Normal(i, pick(1, 1, 2, 3, 8), size[0], size[1], in), backendtest.Normal(i+100, kernel[0], kernel[1], in/groups, out)
		of := func(b *backend.Backend) []*tensors.Tensor {
			return MustExecOnceN(b.Compute, func(x, k *Node) []*Node {
				y := Convolve(x, k).StridePerAxis(stride[:]...).PaddingPerDim(pads).ChannelGroupCount(groups).Done()
				if groups > 1 || kernel[0]%2 == 0 || kernel[1]%2 == 0 { // GoMLX has no right gradient
					return []*Node{y}
				}
				return []*Node{y, Gradient(ReduceAllSum(Mul(StopGradient(y), y)), x)[0]}
			}, clone(x), clone(k))
		}
		want, got := of(plain), of(b)
		for j := range want {
			if r := distance(got[j], want[j]); !(r < 1e-5) {
				t.Errorf("%v with %v in %d groups, strides %v, padding %v: output %d is off by %g of its norm", x.Shape(), k.Shape(), groups, stride, pads, j, r)
			}
		}
	}
	if n := backend.Rewritten() - before; n < 45 {
		t.Errorf("oneDNN computes %d operations, expected 45 and more", n)
	}
}

// distance is the norm of a difference by the norm of want.
func distance(got, want *tensors.Tensor) float64 {
	var off, norm float64
	w := tensors.MustCopyFlatData[float32](want)
	for j, v := range tensors.MustCopyFlatData[float32](got) {
		off += math.Pow(float64(v-w[j]), 2)
		norm += math.Pow(float64(w[j]), 2)
	}
	return math.Sqrt(off / norm)
}

// With more threads an image is computed in more bands.
func TestOneDNNThreads(t *testing.T) {
	withOneDNN(t)
	if os.Getenv("NPROC") == "7" {
		t.Skip("in the process with 7 threads")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOneDNN", "-test.v")
	cmd.Env = append(os.Environ(), "NPROC=7")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestOneDNN/one_image") {
		t.Errorf("%v\n%s", err, out)
	}
}

// An image's convolution does not depend on the other images of its batch.
func TestOneDNNAlone(t *testing.T) {
	b := withOneDNN(t)
	k := backendtest.Normal(2, 3, 3, 64, 64)
	for _, typ := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		of := func(x *tensors.Tensor) []float32 {
			y := MustExecOnce(b.Compute, func(x, k *Node) *Node {
				return ConvertDType(Convolve(ConvertDType(x, typ), ConvertDType(k, typ)).PadSame().Done(), dtypes.Float32)
			}, x, k)
			return tensors.MustCopyFlatData[float32](y)
		}
		x := backendtest.Normal(1, 5, 14, 14, 64)
		all, pixels := of(x), tensors.MustCopyFlatData[float32](x)
		for i := range 5 {
			one := len(pixels) / 5
			for j, v := range of(tensors.FromFlatDataAndDimensions(pixels[i*one:(i+1)*one], 1, 14, 14, 64)) {
				if v != all[i*one+j] {
					t.Fatalf("%s: image %d alone has %g, beside others %g", typ, i, v, all[i*one+j])
				}
			}
		}
	}
}

// clone is a copy that another backend may have.
func clone(x *tensors.Tensor) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](x), x.Shape().Dimensions...)
}
