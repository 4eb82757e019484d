package block

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// layer makes a function of x alone of a layer that reads variables: noise of the
// given shapes.
func layer(variables map[string][]int, f func(s *model.Scope, x *Node) *Node) func(x *Node) *Node {
	return func(x *Node) *Node {
		store := model.NewStore().WithVariableAsConst(true) // so that x is the only parameter
		for path, dims := range variables {
			if _, err := store.CreateVariable(path, noise(uint64(len(path)), dims...)); err != nil {
				panic(err)
			}
		}
		return f(store.RootScope(), x)
	}
}

// The image gradient of each layer of transformers agrees with finite differences.
func TestTransformerGradients(t *testing.T) {
	// Attention sees a fifth of the noise: else its scores are too curved for finite
	// differences in float32.
	attention := map[string][]int{"/qkv/weight": {8, 24}, "/qkv/bias": {24}, "/proj/weight": {8, 8}, "/proj/bias": {8}}
	for _, c := range []struct {
		name string
		x    []int
		f    func(x *Node) *Node
	}{
		{"LayerNorm", []int{2, 5, 8}, layer(map[string][]int{"/weight": {8}, "/bias": {8}}, func(s *model.Scope, x *Node) *Node { return LayerNorm(s, x, 1e-6) })},
		{"LayerScale", []int{2, 5, 8}, layer(map[string][]int{"/gamma": {8}}, func(s *model.Scope, x *Node) *Node { return LayerScale(s, x, "gamma") })},
		{"ResponseNorm", []int{2, 3, 3, 8}, layer(map[string][]int{"/weight": {8}, "/bias": {8}}, ResponseNorm)},
		{"GELU", []int{2, 3000}, GELU},
		{"GELUTanh", []int{2, 40}, GELUTanh},
		{"QuickGELU", []int{2, 40}, QuickGELU},
		{"Patchify", []int{2, 9, 10, 3}, layer(map[string][]int{"/weight": {4, 4, 3, 5}, "/bias": {5}}, func(s *model.Scope, x *Node) *Node { return Patchify(s, x, 5, 4, true) })},
		{"Attention", []int{2, 5, 8}, layer(attention, func(s *model.Scope, x *Node) *Node { return Attention(s, MulScalar(x, 0.2), 2, true, nil) })},
		{"Attention with bias", []int{2, 5, 8}, layer(attention, func(s *model.Scope, x *Node) *Node {
			return Attention(s, MulScalar(x, 0.2), 2, true, ConstTensor(x.Graph(), noise(9, 2, 2, 5, 5)))
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				f := func(x *Node) *Node {
					y := c.f(x)
					return ReduceAllSum(Mul(y, ConstTensor(x.Graph(), noise(3, y.Shape().Dimensions...))))
				}
				analytic, numeric := slope(b, f, noise(1, c.x...), noise(4, c.x...), 1e-2)
				if d := math.Abs(analytic - numeric); !(d <= 1e-2*(math.Abs(numeric)+1)) {
					t.Errorf("gradient along a direction is %v, finite differences give %v", analytic, numeric)
				}
			})
		})
	}
}

// Each activation has its defining values, far out too, and GELU on the Go backend
// is within 1e-6 of the error function of the standard library.
func TestActivations(t *testing.T) {
	xs := []float32{-30, -6, -3, -1, -0.5, -1e-3, 0, 1e-3, 0.5, 1, 2, 4, 6, 30}
	for name, want := range map[string]func(x float64) float64{
		"gelu":       func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) },
		"gelu_tanh":  func(x float64) float64 { return x * 0.5 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) },
		"quick_gelu": func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) },
		"relu":       func(x float64) float64 { return max(x, 0) },
	} {
		act, err := Activation(name)
		if err != nil {
			t.Fatal(err)
		}
		backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
			g := NewGraph(b.Compute, name)
			if err := g.Compile(act(Parameter(g, "x", shapes.Make(dtypes.Float32, len(xs))))); err != nil {
				t.Fatal(err)
			}
			got := tensors.MustCopyFlatData[float32](g.Run(tensors.FromFlatDataAndDimensions(xs, len(xs)))[0])
			for i, x := range xs {
				if w := want(float64(x)); !(math.Abs(float64(got[i])-w) <= 1e-6*(1+math.Abs(w))) {
					t.Errorf("%s(%v) = %v, expected %v", name, x, got[i], w)
				}
			}
		})
	}
	// In bfloat16 each is the value in float32, rounded once.
	for _, name := range []string{"gelu", "gelu_tanh", "quick_gelu", "relu", "relu6", "silu", "hard_swish", "sigmoid", "hard_sigmoid"} {
		act, err := Activation(name)
		if err != nil {
			t.Fatal(err)
		}
		backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
			got := MustExecOnceN(b.Compute, func(x *Node) []*Node {
				half := ConvertDType(x, dtypes.BFloat16)
				return []*Node{ConvertDType(act(half), dtypes.Float32), act(ConvertDType(half, dtypes.Float32))}
			}, noise(5, 1000))
			low, high := tensors.MustCopyFlatData[float32](got[0]), tensors.MustCopyFlatData[float32](got[1])
			for i := range low {
				if want := bfloat16.FromFloat32(high[i]).Float32(); low[i] != want {
					t.Fatalf("%s in bfloat16 is %v, expected %v rounded once: %v", name, low[i], high[i], want)
				}
			}
		})
	}
	if _, err := Activation("mish"); err == nil {
		t.Error("an unknown activation is accepted")
	}
}
