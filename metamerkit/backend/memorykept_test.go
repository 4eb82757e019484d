//go:build cgo && linux

package backend_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// The memory of a step serves the next ones, and goes back to the system when asked.
func TestMemoryKept(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	const size = 64 << 20 // bytes of an array
	g := NewGraph(b.Compute, "memory")
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, size/4))
	if err := g.Compile(AddScalar(x, 1)); err != nil {
		t.Fatal(err)
	}
	in := tensors.FromShape(shapes.Make(dtypes.Float32, size/4))
	step := func() { g.Run(in)[0].MustFinalizeAll() }
	// It may take memory once, at any time, but not in each of these stretches.
	const steps = 10
	least := steps * size
	for range 10 {
		before := faults(t)
		for range steps {
			step()
		}
		least = min(least, faults(t)-before)
	}
	if least > steps*size/2 {
		t.Errorf("%d steps with a result of %d MiB take at least %d MiB from the system", steps, size>>20, least>>20)
	}
	kept := backendtest.Resident(t)
	backend.GiveBack()
	if left := backendtest.Resident(t); kept-left < size/2 {
		t.Errorf("the process had %d MiB and gave back %d, expected about %d", kept>>20, (kept-left)>>20, size>>20)
	}
}

// faults is how much memory the system has given this process so far, in bytes.
func faults(t *testing.T) int {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return int(u.Minflt) * os.Getpagesize()
}
