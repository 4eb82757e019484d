package synth

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// The basis is orthonormal, and smooth divides a wave by its periods, whatever its
// direction and phase; in the metric natural it halves what differs between channels.
func TestMetric(t *testing.T) {
	for _, n := range []int{1, 2, 5, 8, 32} {
		basis, _ := fourierBasis(n)
		for i := range n {
			for j := range n {
				sum := 0.0
				for k := range n {
					sum += basis[i*n+k] * basis[j*n+k]
				}
				if want := map[bool]float64{true: 1}[i == j]; math.Abs(sum-want) > 1e-12 {
					t.Fatalf("%d samples: rows %d and %d have the product %v", n, i, j, sum)
				}
			}
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, n := range []int{7, 16} {
			for i, c := range []struct{ u, v int }{{0, 0}, {1, 0}, {0, 3}, {2, 3}, {-2, 1}, {1, 1}, {2, 0}} {
				metric := []string{"1/f", "natural"}[i%2]
				wave := make([]float32, 2*n*n*3)
				for i := range wave {
					x, y := i/3%n, i/3/n%n
					wave[i] = float32(math.Cos(2*math.Pi*float64(c.u*x+c.v*y)/float64(n) + float64(i%3)))
				}
				in := tensors.FromFlatDataAndDimensions(wave, 2, n, n, 3)
				got := tensors.MustCopyFlatData[float32](MustExecOnce(b.Compute, func(x *Node) *Node { return smooth(x, metric) }, in))
				k := max(math.Hypot(float64(c.u), float64(c.v)), 1)
				for i := range got {
					want := float64(wave[i])
					if pixel := wave[i/3*3:]; metric == "natural" {
						want = want/2 + float64(pixel[0]+pixel[1]+pixel[2])/6
					}
					if d := math.Abs(float64(got[i]) - want/k); d > 1e-5 {
						t.Fatalf("%s: a wave of %d and %d periods in %d pixels is off by %g, expected it divided by %g", metric, c.u, c.v, n, d, k)
					}
				}
			}
		}
	})
}

// minimise runs lbfgs on an objective for images [B,S,S,C] of any number of
// channels, from 0.5, and returns images and values.
func minimise(t *testing.T, b *backend.Backend, metric string, size, channels, steps int, objective func(x *Node) *Node) (images, values []float32) {
	t.Helper()
	cfg := Config{Batch: 2, Size: size, Optimizer: metamer.Optimizer{Name: "lbfgs", Memory: 10, Metric: metric}}
	r := &reader{cfg: cfg, backend: b.Compute}
	g := NewGraph(b.Compute, "minimise")
	image := func(s shapes.Shape) shapes.Shape { // of the wanted channels
		s = s.Clone()
		if n := s.Rank(); n >= 4 {
			s.Dimensions[n-1] = channels
		}
		return s
	}
	x := Parameter(g, "x", image(r.imageShape()))
	var slot []*Node
	for i, s := range r.slotShapes(1) {
		slot = append(slot, Parameter(g, string(rune('a'+i)), image(s)))
	}
	value := objective(slot[slotTrial])
	grad := Gradient(ReduceAllSum(value), slot[slotTrial])[0]
	active := ConstTensor(g, tensors.FromFlatDataAndDimensions([]bool{true, true}, 2))
	coef := ConstTensor(g, tensors.FromFlatDataAndDimensions([]float32{5, 1, 0}, 3))
	next, nextSlot := lbfgs{}.Step(Situation{Optimizer: cfg.Optimizer, Images: x, State: slot, Active: active, Coefficients: coef, Losses: Reshape(value, 2, 1), Value: value, Gradient: grad})
	compile(g, append([]*Node{next}, nextSlot...)...)
	start := make([]float32, image(r.imageShape()).Size())
	for i := range start {
		start[i] = 0.5
	}
	dims := image(r.imageShape()).Dimensions
	state := []any{tensors.FromFlatDataAndDimensions(start, dims...)}
	for _, s := range r.slotShapes(1) {
		state = append(state, tensors.FromShape(image(s)))
	}
	state[1+slotTrial] = tensors.FromFlatDataAndDimensions(start, dims...)
	last := []float32{float32(math.Inf(1)), float32(math.Inf(1))}
	for i := range steps {
		out := g.Run(state...)
		for k, o := range out {
			state[k] = o
		}
		values = tensors.MustCopyFlatData[float32](out[1+slotLosses])
		for k, v := range values {
			if !(v <= last[k]) {
				t.Fatalf("evaluation %d raises the objective of image %d from %v to %v", i, k, last[k], v)
			}
		}
		last = values
	}
	return tensors.MustCopyFlatData[float32](state[0].(*tensors.Tensor)), values
}

// On quadratics in a box, half of whose solution lies at its bounds, lbfgs ends where
// scipy's L-BFGS-B does, in either metric.
func TestQuadratics(t *testing.T) {
	g := golden(t, "fast")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for label, steps := range map[string]int{"easy": 40, "hard": 250} {
			h, centre, want := g["quadratic."+label+".h"].Float, g["quadratic."+label+".centre"].Float, g["quadratic."+label+".solution"].Float
			for _, metric := range metamer.Metrics {
				if label == "hard" && b.Kind != backend.Go {
					continue // calls of many small operations take longer there
				}
				got, _ := minimise(t, b, metric, 4, 3, steps, func(x *Node) *Node {
					d := Sub(Reshape(x, 2, 48), ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(centre, 2, 48)))
					hd := MatMul(d, ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(h, 48, 48)))
					return MulScalar(ReduceSum(Mul(d, hd), 1), 0.5)
				})
				off, bound := 0.0, 0
				for i := range got {
					off = max(off, math.Abs(float64(got[i]-want[i])))
					if (want[i] == 0 || want[i] == 1) && got[i] == want[i] {
						bound++
					}
				}
				t.Logf("%s, %s: largest difference %.2g, %d values at their bound", label, metric, off, bound)
				if off > 2e-3 || bound < 40 {
					t.Errorf("%s, %s: the largest difference to scipy's solution is %g, and %d values are at their bound as its are", label, metric, off, bound)
				}
			}
		}
	})
}

// Rosenbrock's valley, which bends.
func TestValley(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	got, values := minimise(t, b, "pixels", 2, 3, 150, func(x *Node) *Node {
		u := Reshape(MulScalar(x, 1.6), 2, 12)
		here, next := Slice(u, AxisRange(), AxisRange(0, 11)), Slice(u, AxisRange(), AxisRange(1, 12))
		return ReduceSum(Add(MulScalar(Square(Sub(next, Square(here))), 100), Square(OneMinus(here))), 1)
	})
	for i, v := range got {
		if math.Abs(float64(v)-1/1.6) > 1e-3 {
			t.Fatalf("value %d is %v, expected %v (objective %v)", i, v, 1/1.6, values)
		}
	}
}

// lbfgs and fourier agree with testdata/scripts/fast.py, independent versions in
// NumPy, for the first evaluations of an ensemble.
func TestFastGolden(t *testing.T) {
	g, pix := golden(t, "fast"), golden(t, "resnet20_cifar10")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, name := range []string{"lbfgs", "fourier"} {
			for _, stage := range []string{"late", "middle"} {
				if (stage == "middle") == (b.Kind == backend.Go) {
					continue // one stage each
				}
				want := g[name+".losses."+stage].Float
				r := metamer.Recipe{
					Models: []metamer.ModelRef{{Name: "resnet20_cifar10"}, {Name: "resnet4b"}}, Stage: stage,
					Steps: len(want) / 2 / map[string]int{"lbfgs": 2, "fourier": 1}[name], Optimizer: metamer.Optimizer{Name: name},
				}.WithDefaults()
				var members []TappedModel
				for _, m := range r.Models {
					members = append(members, tappedModel(t, m.Name, stage))
				}
				cfg := Config{Batch: 2, Size: 32, Loss: r.Loss, Optimizer: r.Optimizer}
				stepper, err := NewStepper(context.Background(), Compiler{Backend: b.Compute}, r, cfg, members, nil)
				if err != nil {
					t.Fatal(err)
				}
				l := &Loop{Recipe: r, Stepper: stepper}
				c := l.NewCursor(append([]float32{}, pix["start"].Float...), 2)
				if err := l.Run(context.Background(), pix["images"].Float, c); err != nil {
					t.Fatal(err)
				}
				var got []float32
				for _, row := range c.Trace.Loss {
					got = append(got, row...)
				}
				// ReLUs that switch amplify rounding from evaluation to evaluation.
				for what, v := range map[string]struct {
					got, want []float32
					most      float64
				}{"losses": {got, want, 3e-3}, "images": {c.Images, g[name+".images."+stage].Float, 5e-3}} {
					d := apart(v.got, v.want)
					t.Logf("%s %s %s: relative L2 difference %.2g", name, stage, what, d)
					if !(d <= v.most) {
						t.Errorf("%s %s: the %s differ by %.2g (relative L2), at most %g was expected", name, stage, what, d, v.most)
					}
				}
			}
		}
	})
}

// apart is the relative L2 difference; of what has other lengths it is infinite.
func apart(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	diff, norm := 0.0, 0.0
	for i := range got {
		diff += math.Pow(float64(got[i])-float64(want[i]), 2)
		norm += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(diff / norm)
}

// The objective is zero exactly where the activations are equal, has a slope for dead
// units that should be active, and none for those that are rightly dead.
func TestOneSided(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	z := []float32{2, -1, -3, 1, -2}
	target := []float32{1.5, 0.5, 0, 0, 2}
	out := MustExecOnceN(b.Compute, func(z, target *Node) []*Node {
		g := z.Graph()
		a := stage.Capture(g, stage.Options{}, func() { stage.MarkReLU(z, "last") }, "last")[0]
		v := residual("squared-l2", a, target, false)
		return []*Node{v, Gradient(ReduceAllSum(v), z)[0]}
	}, tensors.FromFlatDataAndDimensions(z, 1, 5), tensors.FromFlatDataAndDimensions(target, 1, 5))
	if v := tensors.MustCopyFlatData[float32](out[0])[0]; math.Abs(float64(v)-(0.25+2.25+0+1+16)) > 1e-5 {
		t.Errorf("the objective is %v", v)
	}
	for i, want := range []float32{1, -3, 0, 2, -8} {
		if got := tensors.MustCopyFlatData[float32](out[1])[i]; math.Abs(float64(got-want)) > 1e-5 {
			t.Errorf("unit %d (before the ReLU %v, target %v) has the slope %v, expected %v", i, z[i], target[i], got, want)
		}
	}
}
