package block

import (
	"fmt"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// The gradient of every convolution with respect to its kernel agrees with finite
// differences: odd and even kernels, strides, padding, groups.
func TestKernelGradient(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, c := range []struct{ k, stride, pad, groups int }{{1, 1, 0, 1}, {1, 2, 0, 1}, {3, 1, 1, 1}, {3, 2, 1, 1}, {5, 2, 2, 1}, {7, 1, 3, 1}, {2, 2, 0, 1}, {4, 4, 0, 1}, {4, 2, 1, 1}, {3, 1, 1, 2}, {3, 1, 1, 4}, {3, 2, 1, 4}, {4, 2, 1, 4}, {7, 1, 3, 4}} {
			t.Run(fmt.Sprintf("k%d_s%d_p%d_g%d", c.k, c.stride, c.pad, c.groups), func(t *testing.T) {
				x := noise(1, 2, 12, 12, 4)
				f := func(kernel *Node) *Node {
					y := Window{K: c.k, Stride: c.stride, Pad: c.pad, Groups: c.groups}.convolve(ConstTensor(kernel.Graph(), x), kernel, true)
					return ReduceAllSum(Mul(y, ConstTensor(y.Graph(), noise(3, y.Shape().Dimensions...))))
				}
				analytic, numeric := slope(b, f, noise(2, c.k, c.k, 4/c.groups, 4), noise(4, c.k, c.k, 4/c.groups, 4), 1e-2)
				if d := math.Abs(analytic - numeric); !(d <= 1e-2*(math.Abs(numeric)+1)) {
					t.Errorf("gradient along a direction is %v, finite differences give %v", analytic, numeric)
				}
			})
		}
	})
}

// norms is a store with the variables of a batch normalisation of 3 channels.
func norms(t *testing.T) *model.Store {
	t.Helper()
	s := model.NewStore()
	for name, v := range map[string][]float32{"weight": {1, 2, -.5}, "bias": {.1, 0, 3}, "running_mean": {.5, -1, 2}, "running_var": {1, 4, .25}} {
		if _, err := s.CreateVariable("/bn/"+name, tensors.FromValue(v)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// normalise runs f over x, times times, and returns its last value.
func normalise(t *testing.T, b *backend.Backend, s *model.Store, training bool, times int, f func(s *model.Scope, x *Node) *Node, x *tensors.Tensor) []float32 {
	t.Helper()
	e, err := model.NewExec(b.Compute, s, func(s *model.Scope, x *Node) *Node {
		s.Store().SetTraining(x.Graph(), training)
		return f(s, x)
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []*tensors.Tensor
	for range times {
		if out, err = e.Call(x); err != nil {
			t.Fatal(err)
		}
	}
	return tensors.MustCopyFlatData[float32](out[0])
}

func TestBatchNormInTraining(t *testing.T) {
	bn := func(s *model.Scope, x *Node) *Node { return batchNorm(At(s, "bn"), x, 1e-5) }
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		x := noise(5, 4, 3, 3, 3)
		flat := tensors.MustCopyFlatData[float32](x)
		var mean, variance [3]float64 // unbiased
		for i, v := range flat {
			mean[i%3] += float64(v) / 36
		}
		for i, v := range flat {
			variance[i%3] += (float64(v) - mean[i%3]) * (float64(v) - mean[i%3]) / 35
		}
		s := norms(t)
		got := normalise(t, b, s, true, 1, bn, x)
		gain, bias := []float64{1, 2, -.5}, []float64{.1, 0, 3}
		for i, v := range flat {
			c := i % 3
			want := (float64(v)-mean[c])/math.Sqrt(variance[c]*35/36+1e-5)*gain[c] + bias[c]
			if math.Abs(want-float64(got[i])) > 1e-4 {
				t.Fatalf("value %d is %v, expected %v", i, got[i], want)
			}
		}
		before := map[string][]float64{"running_mean": {.5, -1, 2}, "running_var": {1, 4, .25}}
		now := map[string][3]float64{"running_mean": mean, "running_var": variance}
		for name := range before {
			v := tensors.MustCopyFlatData[float32](s.Scope("/bn").GetVariable(name).MustValue())
			for c := range 3 {
				if want := .9*before[name][c] + .1*now[name][c]; math.Abs(want-float64(v[c])) > 1e-5 {
					t.Errorf("%s[%d] is %v, expected %v", name, c, v[c], want)
				}
			}
		}

		// Held statistics stay, and the value is the same.
		s = norms(t)
		held := normalise(t, b, s, true, 1, func(s *model.Scope, x *Node) (y *Node) {
			HoldStatistics(x.Graph(), func() { y = bn(s, x) })
			return y
		}, noise(5, 4, 3, 3, 3))
		if held[7] != got[7] {
			t.Errorf("held: %v, expected %v", held[7], got[7])
		}
		if v := tensors.MustCopyFlatData[float32](s.Scope("/bn").GetVariable("running_mean").MustValue()); v[0] != .5 {
			t.Errorf("held: running_mean moved to %v", v)
		}
	})
}

// One page draws a frozen net and one in training: where the running statistics
// are those of the batch, both give the same.
func TestConvNormFrozenAndInTraining(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	s := norms(t)
	if _, err := s.CreateVariable("/conv/weight", noise(2, 3, 3, 3, 3)); err != nil {
		t.Fatal(err)
	}
	page := func(s *model.Scope, x *Node) *Node { return ConvNorm(At(s, "conv"), At(s, "bn"), x, 3, 3, 1, 1) }
	got := normalise(t, b, s, true, 200, page, noise(5, 4, 6, 6, 3)) // .9^200 of the initial statistics is left
	frozen := normalise(t, b, s, false, 1, page, noise(5, 4, 6, 6, 3))
	for i := range got {
		// The running variance is the unbiased one, of 144 values.
		if d := math.Abs(float64(got[i] - frozen[i])); d > 2e-2 {
			t.Fatalf("value %d is %v in training and %v frozen", i, got[i], frozen[i])
		}
	}
	if !s.Scope("/conv").GetVariable("weight").MustValue().Ok() {
		t.Error("the kernel was consumed")
	}
}

// The gradient of a normalised batch with respect to its values, through mean and
// variance, agrees with finite differences.
func TestBatchNormGradient(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		f := func(x *Node) *Node {
			s := norms(t)
			s.SetTraining(x.Graph(), true)
			y := batchNormWith(s, x)
			return ReduceAllSum(Mul(y, ConstTensor(y.Graph(), noise(3, 4, 3, 3, 3))))
		}
		analytic, numeric := slope(b, f, noise(1, 4, 3, 3, 3), noise(4, 4, 3, 3, 3), 1e-2)
		if d := math.Abs(analytic - numeric); !(d <= 1e-2*(math.Abs(numeric)+1)) {
			t.Errorf("gradient along a direction is %v, finite differences give %v", analytic, numeric)
		}
	})
}

// batchNormWith draws a normalisation whose variables are constants of the graph.
func batchNormWith(s *model.Store, x *Node) *Node {
	s.WithVariableAsConst(true)
	HoldStatistics(x.Graph(), func() { x = batchNorm(At(s.RootScope(), "bn"), x, 1e-5) })
	return x
}
