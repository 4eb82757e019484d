package upstream

import (
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

var (
	count  = shapes.Make(dtypes.Int32)
	vector = shapes.Make(dtypes.Float32, 3)
)

// thrice is a While of three rounds over the state (i, x, more…), all of whose
// further values are vectors that stay as they are.
func thrice(g *Graph, body func(x *Node, more []*Node) *Node, x *Node, more ...*Node) *Node {
	state := func(g *Graph, in string) []*Node {
		all := []*Node{Parameter(g, in+".i", count), Parameter(g, in+".x", vector)}
		for i := range more {
			all = append(all, Parameter(g, in+".more"+string(rune('0'+i)), vector))
		}
		return all
	}
	// Const, which makes a node each time, not Scalar: see TestScalarCache.
	cond := NewClosure(g, func(g *Graph) []*Node { return []*Node{LessThan(state(g, "cond")[0], Const(g, int32(3)))} })
	round := NewClosure(g, func(g *Graph) []*Node {
		s := state(g, "body")
		return append([]*Node{Add(s[0], Const(g, int32(1))), body(s[1], s[2:])}, s[2:]...)
	})
	return While(cond, round, append([]*Node{Const(g, int32(0)), x}, more...)...)[1]
}

// TestGradientInWhile: a body that computes a gradient works on XLA and fails when
// it runs on the Go backend. It is not the gradient: a constant that is reshaped in
// the body, as gradients do, is enough.
func TestGradientInWhile(t *testing.T) {
	for name, body := range map[string]func(x *Node, _ []*Node) *Node{
		"gradient": func(x *Node, _ []*Node) *Node { return Gradient(ReduceAllSum(Square(x)), x)[0] },
		"reshape": func(x *Node, _ []*Node) *Node {
			return Mul(BroadcastToDims(Reshape(Const(x.Graph(), float32(2)), 1), 3), x)
		},
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				out, err := compute(b, func(g *Graph) []*Node { return []*Node{thrice(g, body, Const(g, []float32{1, 2, 3}))} })
				if b.Kind == backend.Go {
					expect(t, err, "not computed yet", "metamerkit/backend/backend.go (Loops)")
				} else if err != nil || !slices.Equal(flat(out[0]), []float32{8, 16, 24}) {
					t.Errorf("this backend is wrong too: %v %v", out, err)
				}
			})
		})
	}
}

// TestCapture: closures "can access variables from the parent scope", says
// NewClosure. On XLA a While or If that does it is refused.
func TestCapture(t *testing.T) {
	for name, c := range map[string]struct {
		draw    func(g *Graph) *Node
		symptom string
	}{
		"while": {func(g *Graph) *Node {
			outside := Const(g, []float32{1, 2, 3})
			return thrice(g, func(x *Node, _ []*Node) *Node { return Mul(x, outside) }, Const(g, []float32{1, 1, 1}))
		}, "operands are not part of the function"},
		"if": {func(g *Graph) *Node {
			outside := Const(g, []float32{1, 2, 3})
			cube := NewClosure(g, func(g *Graph) []*Node { return []*Node{Mul(Square(outside), outside)} })
			same := NewClosure(g, func(g *Graph) []*Node { return []*Node{Add(outside, outside)} })
			return If(Const(g, true), cube, same)[0]
		}, "not owned by the function"},
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
				out, err := compute(b, func(g *Graph) []*Node { return []*Node{c.draw(g)} })
				if b.Kind == backend.XLA {
					expect(t, err, c.symptom, "metamerkit/synth/unit.go (all that the body reads is loop state)")
				} else if err != nil || !slices.Equal(flat(out[0]), []float32{1, 8, 27}) {
					t.Errorf("this backend is wrong too: %v %v", out, err)
				}
			})
		})
	}
}

// TestScalarCache: a graph keeps each scalar that it makes, for all of its
// functions. A closure gets the node that another closure made and cannot read it;
// on XLA one that main made cannot be read either, see TestCapture.
func TestScalarCache(t *testing.T) {
	draw := func(first func(g *Graph, x *Node) *Node) func(g *Graph) []*Node {
		return func(g *Graph) []*Node {
			cond := NewClosure(g, func(g *Graph) []*Node {
				return []*Node{LessThan(ReduceAllSum(first(g, Parameter(g, "cond.x", vector))), Const(g, float32(20)))}
			})
			body := NewClosure(g, func(g *Graph) []*Node { return []*Node{AddScalar(Parameter(g, "body.x", vector), 3)} })
			return While(cond, body, Const(g, []float32{1, 2, 3}))
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		must(t, b, draw(func(g *Graph, x *Node) *Node { return Add(x, Const(g, []float32{3, 3, 3})) }))
		_, err := compute(b, draw(func(_ *Graph, x *Node) *Node { return AddScalar(x, 3) }))
		symptom := "different function scope"
		if b.Kind == backend.XLA {
			symptom = "after returning, in function"
		}
		expect(t, err, symptom, "metamerkit/synth/unit.go (main and the condition make no scalar)")
	})
}

// TestParameterNames: on XLA a parameter of a closure cannot have the name of one of
// main. Closures side by side can share names.
func TestParameterNames(t *testing.T) {
	draw := func(main string) func(g *Graph) []*Node {
		return func(g *Graph) []*Node {
			x := Parameter(g, main, vector)
			cond := NewClosure(g, func(g *Graph) []*Node {
				return []*Node{LessThan(ReduceAllSum(Parameter(g, "x", vector)), Const(g, float32(30)))}
			})
			body := NewClosure(g, func(g *Graph) []*Node { y := Parameter(g, "x", vector); return []*Node{Add(y, y)} })
			return While(cond, body, x)
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		must(t, b, draw("start"), []float32{1, 2, 3})
		_, err := compute(b, draw("x"), []float32{1, 2, 3})
		if b.Kind == backend.XLA {
			expect(t, err, "redefinition of SSA value", "metamerkit/synth/unit.go (the prefixes of declare)")
		} else if err != nil {
			t.Errorf("this backend fails too: %v", err)
		}
	})
}
