package upstream

import (
	"bytes"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	core "github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// stuckAfter is how often a child that does not finish a run, which takes milliseconds,
// looks where its goroutines are.
const stuckAfter = 5 * time.Second

// TestParallelConvolutions: convolutions that do not depend on each other wait for
// one another for ever on the Go backend. Each holds a worker of the pool while it
// waits for another one to compute a part of its result.
func TestParallelConvolutions(t *testing.T) {
	parallel(t, ".WaitToStart(", func(x *Node, i int) *Node {
		return Convolve(x, ConstTensor(x.Graph(), normal(uint64(i), 3, 3, 16, 16))).Done()
	})
}

// TestParallelProducts: so do products of large matrices.
func TestParallelProducts(t *testing.T) {
	parallel(t, ".Saturate(", func(x *Node, i int) *Node {
		at := ReduceAllMean(x)
		k := normal(uint64(i), 192, 192)
		return DotGeneral(Add(ConstTensor(x.Graph(), k), at), []int{1}, nil, Add(ConstTensor(x.Graph(), k), at), []int{0}, nil)
	})
}

// parallel expects sixteen independent nodes to be stuck in the named function on
// the Go backend as it comes, and never on ours.
func parallel(t *testing.T, where string, draw func(x *Node, i int) *Node) {
	run := func(t *testing.T, b core.Backend, times int, stuck func(stacks string) bool) {
		g := NewGraph(b, "parallel")
		defer g.Finalize()
		image := normal(1, 4, 8, 8, 16)
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, 4, 8, 8, 16))
		var all []*Node
		for i := range 16 {
			all = append(all, draw(x, i))
		}
		if err := g.Compile(all...); err != nil {
			t.Fatal(err)
		}
		for range times {
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(stuckAfter):
					}
					var stacks bytes.Buffer
					_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2)
					if stuck(stacks.String()) {
						os.Stdout.WriteString("child: stuck\n" + stacks.String())
						os.Exit(1)
					}
				}
			}()
			g.Run(image)
			close(done)
		}
	}
	t.Run("as it comes", func(t *testing.T) {
		out, ok := inChild(t, func(t *testing.T) {
			run(t, asItComes(t).Compute, 10_000, func(stacks string) bool { return strings.Count(stacks, where) >= 2 })
		})
		switch {
		case ok:
			fixed(t, "metamerkit/backend/backend.go (openGo, as far as it is not there for speed)")
		case !strings.Contains(out, "child: stuck") || strings.Count(out, where) < 2:
			t.Errorf("changed upstream: expected the process to be stuck in %s, got:\n%s", where, out)
		}
	})
	t.Run("ours", func(t *testing.T) {
		out, ok := inChild(t, func(t *testing.T) { // the limit of go test ends it if it is stuck
			run(t, backendtest.Open(t, backend.Go).Compute, 50, func(string) bool { return false })
		})
		if !ok {
			t.Errorf("our backend fails:\n%s", out)
		}
	})
}

// asItComes is the Go backend with its own settings, not with ours.
func asItComes(t *testing.T) *backend.Backend {
	t.Helper()
	b, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	return &backend.Backend{Compute: b, Kind: backend.Go}
}
