package train

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

func TestParseThreat(t *testing.T) {
	for s, want := range map[string]Threat{"linf:8/255": {"linf", 8. / 255}, "l2:0.5": {"l2", .5}, "linf:0": {"linf", 0}} {
		if got, err := ParseThreat(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "linf", "l1:1", "linf:x", "linf:8/x", "linf:8/0", "l2:-1", "l2:NaN"} {
		if got, err := ParseThreat(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, got)
		}
	}
	if s := (Threat{"linf", 8. / 255}).String() + ", " + (Threat{"l2", .5}).String(); s != "L∞ 8/255, L2 0.5" {
		t.Error(s)
	}
}

// at runs a graph function of two images of 2².
func at(b *backend.Backend, f func(x, d *Node) *Node, x, d []float32) []float32 {
	out := MustExecOnce(b.Compute, func(x, d *Node) *Node { return f(x, d) },
		// Copies: the execution may write into what it is given.
		tensors.FromFlatDataAndDimensions(slices.Clone(x), 2, 2, 2, 3), tensors.FromFlatDataAndDimensions(slices.Clone(d), 2, 2, 2, 3))
	return tensors.MustCopyFlatData[float32](out)
}

func distance(norm string, a, b []float32) float64 {
	sum, most := 0.0, 0.0
	for i := range a {
		d := math.Abs(float64(a[i] - b[i]))
		sum, most = sum+d*d, max(most, d)
	}
	if norm == "linf" {
		return most
	}
	return math.Sqrt(sum)
}

// A step goes up the gradient by its length; the projection brings what is far back
// onto the ball, leaves what is near, and stays within [0,1].
func TestStepsAndProjections(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		x, d := make([]float32, 24), make([]float32, 24)
		for i := range x {
			x[i], d[i] = .5, float32(i%5)-2
		}
		x[23] = .99
		for _, norm := range Norms {
			moved := at(b, func(x, d *Node) *Node { return ascend(norm, x, d, Const(x.Graph(), float32(.1))) }, x, d)
			for _, half := range []int{0, 12} {
				if got := distance(norm, moved[half:half+12], x[half:half+12]); math.Abs(got-.1) > 1e-5 {
					t.Errorf("%s: a step of .1 went %v", norm, got)
				}
			}
			for i := range moved {
				if v := float64(moved[i]-x[i]) * float64(d[i]); v < -1e-9 || d[i] != 0 && v == 0 {
					t.Errorf("%s: value %d moved by %v against the gradient %v", norm, i, moved[i]-x[i], d[i])
				}
			}
			back := at(b, func(x, d *Node) *Node {
				return project(norm, Add(x, d), x, Const(x.Graph(), float32(.2)))
			}, x, d)
			if got := distance(norm, back[:12], x[:12]); math.Abs(got-.2) > 1e-5 {
				t.Errorf("%s: projected to a distance of %v, expected .2", norm, got)
			}
			near := make([]float32, 24)
			near[3] = .15
			if got := at(b, func(x, d *Node) *Node { return project(norm, Add(x, d), x, Const(x.Graph(), float32(.2))) }, x, near); math.Abs(float64(got[3])-.65) > 1e-6 {
				t.Errorf("%s: a near point went to %v", norm, got[3])
			}
			for i, v := range back {
				if v < 0 || v > 1 {
					t.Errorf("%s: value %d is %v", norm, i, v)
				}
			}
			// Noise: corners are as far as they may be, jitter is at most that far, and
			// two images differ.
			rng := func(x *Node) *Node { return Const(x.Graph(), []uint64{1, 2, 3}) }
			x[23] = .5
			far := at(b, func(x, d *Node) *Node { return corner(norm, x, rng(x), Const(x.Graph(), float32(.1))) }, x, d)
			if got := distance(norm, far[:12], x[:12]); math.Abs(got-.1) > 1e-5 {
				t.Errorf("%s: noise of .1 is %v long", norm, got)
			}
			some := at(b, func(x, d *Node) *Node { return jitter(norm, x, rng(x), Const(x.Graph(), float32(.1))) }, x, d)
			if got := distance(norm, some, x); got > .1*math.Sqrt2+1e-6 || got == 0 || some[0] == some[12] {
				t.Errorf("%s: jitter of .1 went %v", norm, got)
			}
			x[23] = .99
		}
	})
}

// On a linear model the strongest L∞ perturbation is known: epsilon times the sign
// of the weights. Every method finds it.
func TestCraftOnALinearModel(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	x, w := make([]float32, 24), make([]float32, 24)
	for i := range x {
		x[i], w[i] = .5, float32(i%7)-3.5
	}
	gain := func(moved []float32) (sum float64) {
		for i := range moved {
			sum += float64(moved[i]-x[i]) * float64(w[i])
		}
		return sum
	}
	best := 0.0
	for _, v := range w {
		best += .05 * math.Abs(float64(v))
	}
	for _, name := range []string{"fgsm", "pgd:5", "nfgsm"} {
		m, err := parseMethod(name)
		if err != nil {
			t.Fatal(err)
		}
		got := at(b, func(x, w *Node) *Node {
			return m.craft(Threat{"linf", .05}, x, Const(x.Graph(), []uint64{4, 5, 6}), func(x *Node) *Node { return ReduceAllSum(Mul(x, w)) })
		}, x, w)
		// N-FGSM keeps its noise of up to twice epsilon, of either sign.
		if g := gain(got); name != "nfgsm" && math.Abs(g-best) > 1e-4 || g < best/3 {
			t.Errorf("%s gains %v, the most within .05 is %v", name, g, best)
		}
		limit := .05
		if name == "nfgsm" {
			limit = .15
		}
		if d := distance("linf", got, x); d > limit+1e-6 {
			t.Errorf("%s went %v", name, d)
		}
	}
	for _, bad := range []string{"", "pgd", "pgd:0", "pgd:x", "cw"} {
		if _, err := parseMethod(bad); err == nil {
			t.Errorf("method %q was taken", bad)
		}
	}
}
