package upstream

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestIdentity: Identity has no gradient.
func TestIdentity(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		_, err := compute(b, func(g *Graph) []*Node {
			x := ConstTensor(g, normal(1, 3))
			return Gradient(ReduceAllSum(Identity(x)), x)
		})
		expect(t, err, "no gradient is defined", "metamerkit/zoo/onnx/constants.go (Identity)")
	})
}

// TestDotProduct: Dot(a, b).Product() takes vectors and matrices only.
func TestDotProduct(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		operands := func(g *Graph) (x, w *Node) {
			return ConstTensor(g, normal(1, 2, 3, 4)), ConstTensor(g, normal(2, 4, 5))
		}
		must(t, b, func(g *Graph) []*Node { x, w := operands(g); return []*Node{MatMul(x, w)} })
		_, err := compute(b, func(g *Graph) []*Node { x, w := operands(g); return []*Node{Dot(x, w).Product()} })
		expect(t, err, "requires matrices or vectors", "metamerkit/zoo/block/block.go (DotGeneral in Linear)")
	})
}

// TestScopeIn: Scope.In panics when a scope is entered twice, as two passes of one
// model over one scope do. At does not.
func TestScopeIn(t *testing.T) {
	s := model.NewStore().RootScope()
	s.At("layer")
	s.At("layer")
	s.In("layer")
	expect(t, attempt(func() { s.In("layer") }), "already visited", "metamerkit/zoo/block/block.go (At)")
}

// TestRsqrt: Rsqrt has no gradient.
func TestRsqrt(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		_, err := compute(b, func(g *Graph) []*Node {
			x := AddScalar(Square(ConstTensor(g, normal(1, 3))), 1)
			return Gradient(ReduceAllSum(Rsqrt(x)), x)
		})
		expect(t, err, "no gradient is defined", "")
	})
}

// TestGradientAtStop: the gradient with respect to a node that StopGradient made is
// zero, without a word. It should stop at that node, not before it: the same value as
// a parameter has the gradient 2x.
func TestGradientAtStop(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		out := must(t, b, func(g *Graph) []*Node {
			x := StopGradient(ConstTensor(g, normal(1, 3)))
			return Gradient(ReduceAllSum(Square(x)), x)
		})
		for _, v := range flat(out[0]) {
			if v != 0 {
				fixed(t, "metamerkit/train/attack.go")
			}
		}
	})
}
