package backendtest

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
)

func TestEachComputesAndOpensOnce(t *testing.T) {
	seen := map[backend.Kind]*backend.Backend{}
	for range 2 {
		Each(t, func(t *testing.T, b *backend.Backend) {
			if first := seen[b.Kind]; first != nil && first != b {
				t.Errorf("%s was opened twice", b.Kind)
			}
			seen[b.Kind] = b
			out := MustExecOnce(b.Compute, func(x *Node) *Node { return Mul(x, x) }, []float32{1, -2, 3})
			got := out.Value().([]float32)
			if len(got) != 3 || got[0] != 1 || got[1] != 4 || got[2] != 9 {
				t.Errorf("squares of 1, -2, 3 on %s: %v", b.Kind, got)
			}
		})
	}
	if seen[backend.Go] == nil {
		t.Error("the pure-Go backend was not tested")
	}
}
