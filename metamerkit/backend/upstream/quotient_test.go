package upstream

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// A quotient of float64 is the nearest one, also by a value of the whole row.
func TestQuotient(t *testing.T) {
	const n = 256
	var rows, tops []float64
	for top := 1; top < n; top++ {
		for i := range n {
			rows = append(rows, float64(255*i))
		}
		tops = append(tops, float64(top))
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		out := must(t, b, func(g *Graph) []*Node {
			x := Parameter(g, "x", shapes.Make(dtypes.Float64, n-1, n))
			return []*Node{Div(x, Parameter(g, "top", shapes.Make(dtypes.Float64, n-1, 1)))}
		}, tensors.FromFlatDataAndDimensions(rows, n-1, n), tensors.FromFlatDataAndDimensions(tops, n-1, 1))
		wrong := 0
		for i, q := range tensors.MustCopyFlatData[float64](out[0]) {
			if q != float64(255*(i%n))/float64(i/n+1) {
				wrong++
			}
		}
		t.Logf("%d of %d quotients are not the nearest", wrong, len(rows))
		switch {
		case b.Kind == backend.Go && wrong > 0:
			t.Error("the Go backend has the defect too")
		case b.Kind == backend.XLA && wrong == 0:
			fixed(t, "metamerkit/imgmetrics/piqe.go (scaled)")
		}
	})
}
