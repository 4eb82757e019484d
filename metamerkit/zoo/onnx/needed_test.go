package onnx_test

import (
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestUnused has outputs and nodes that the graph's output does not need and that are not
// supported: a mask of Dropout, TopK and what reads it.
func TestUnused(t *testing.T) {
	dropout, dead := node("Dropout", "d", "x"), node("TopK", "values", "d", "axis2")
	dropout.Output = append(dropout.Output, "mask")
	dead.Output = append(dead.Output, "indices")
	reader := node("Cast", "read", "indices") // a dead node that reads another
	x := floats([]int{1, 1, 2, 2}, 1, -2, 3, -4)
	list := []*packed{graph(t, "Dropout/mask and TopK", map[string]value{"in/x": x, "out/y": floats(x.dims, 1, 2, 3, 4),
		"cot/y": floats(x.dims, 1, 1, 2, 2), "grad/x": floats(x.dims, 1, -1, 2, -2)}, dropout, dead, reader, node("Abs", "y", "d"))}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) { right(t, b, list, 1e-4) })
}
