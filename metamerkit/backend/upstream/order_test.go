package upstream

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestParameterBehindOutput: the Go backend fails on a parameter (a variable that
// is read is one) that comes after the last output node, as in the capture of an
// early stage of a model whose variables are all read. The panic is on the caller's
// goroutine.
func TestParameterBehindOutput(t *testing.T) {
	draw := func(more bool) func(g *Graph) []*Node {
		return func(g *Graph) []*Node {
			y := Square(Parameter(g, "x", shapes.Make(dtypes.Float32, 2)))
			Parameter(g, "late", shapes.Make(dtypes.Float32, 2))
			if more {
				y = MulScalar(y, 1)
			}
			return []*Node{y}
		}
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		must(t, b, draw(true), normal(1, 2), normal(2, 2))
		_, err := compute(b, draw(false), normal(1, 2), normal(2, 2))
		if b.Kind != backend.Go {
			if err != nil {
				t.Errorf("this backend fails too: %v", err)
			}
			return
		}
		expect(t, err, "index out of range", "metamerkit/synth (MulScalar(x, 1) behind the last variable, in unit.go, average.go and probe.go)")
	})
}
