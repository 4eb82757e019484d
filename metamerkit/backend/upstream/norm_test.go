package upstream

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/nn"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestLayerNormBFloat16: the Go backend takes a fused layer normalisation of
// bfloat16 into the graph and fails when it runs it.
func TestLayerNormBFloat16(t *testing.T) {
	draw := func(d dtypes.DType) func(g *Graph) []*Node {
		return func(g *Graph) []*Node {
			x := ConvertDType(ConstTensor(g, normal(1, 2, 8)), d)
			return []*Node{nn.LayerNorm(x, []int{-1}, 1e-5, nil, nil, nil)}
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		must(t, b, draw(dtypes.Float32))
		_, err := compute(b, draw(dtypes.BFloat16))
		if b.Kind != backend.Go {
			if err != nil {
				t.Errorf("this backend fails too: %v", err)
			}
			return
		}
		expect(t, err, "FusedLayerNorm: dtype", "")
	})
}

// TestProductGradientWidens: the gradient of a product of bfloat16 matrices is computed
// by a product of float32 ones, on every backend.
func TestProductGradientWidens(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	wide := func(product func(x, w *Node) *Node) bool {
		g := NewGraph(b.Compute, "product")
		defer g.Finalize()
		x := Parameter(g, "x", shapes.Make(dtypes.BFloat16, 4, 8))
		w := Parameter(g, "w", shapes.Make(dtypes.BFloat16, 8, 16))
		Gradient(ReduceAllSum(product(x, w)), x)
		for _, n := range g.Nodes() {
			if n.Type() == NodeTypeConvertDType && n.Shape().Size() > 1 && n.DType() == dtypes.Float32 {
				return true
			}
		}
		return false
	}
	if wide(func(x, w *Node) *Node {
		return Dot(x, w).WithAccumulatorDType(dtypes.InvalidDType).General([]int{1}, nil, []int{0}, nil)
	}) {
		t.Error("block.product's gradient widens as well")
	}
	if wide(func(x, w *Node) *Node { return DotGeneral(x, []int{1}, nil, w, []int{0}, nil) }) {
		return
	}
	fixed(t, "metamerkit/zoo/block/block.go")
}
