package upstream

import (
	"bytes"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// stuckAfter is how long a child may go without finishing one run, which takes
// milliseconds, before it reports where its goroutines are.
const stuckAfter = 5 * time.Second

// TestParallelConvolutions: convolutions that do not depend on each other wait for
// one another for ever on the Go backend. Each holds a worker of the pool while it
// waits for another one to compute a part of its result.
func TestParallelConvolutions(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	out, ok := inChild(t, func(t *testing.T) {
		g := NewGraph(b.Compute, "parallel")
		image := normal(1, 4, 8, 8, 16)
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, 4, 8, 8, 16))
		var all []*Node
		for i := range 16 {
			all = append(all, Convolve(x, ConstTensor(g, normal(uint64(i), 3, 3, 16, 16))).Done())
		}
		if err := g.Compile(all...); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			watch := time.AfterFunc(stuckAfter, func() {
				var where bytes.Buffer
				_ = pprof.Lookup("goroutine").WriteTo(&where, 2)
				os.Stdout.WriteString("child: stuck\n" + where.String())
				os.Exit(1)
			})
			g.Run(image)
			watch.Stop()
		}
	})
	switch {
	case ok:
		fixed(t, "metamerkit/zoo/block/convolve.go (patches, as far as it is not there for speed)")
	case !strings.Contains(out, "child: stuck") || strings.Count(out, ".WaitToStart(") < 2:
		t.Errorf("changed upstream: expected the process to be stuck in WaitToStart, got:\n%s", out)
	}
}
