package upstream

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
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
