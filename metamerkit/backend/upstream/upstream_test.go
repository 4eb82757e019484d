package upstream

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// expect fails the test when err no longer is the failure whose message contains
// symptom: with nil the defect is gone, with another message it has changed.
func expect(t *testing.T, err error, symptom, guard string) {
	t.Helper()
	switch {
	case err == nil:
		fixed(t, guard)
	case !strings.Contains(err.Error(), symptom):
		t.Errorf("changed upstream: expected a failure with %q, got: %v", symptom, err)
	}
}

// fixed fails the test because a defect is gone; guard is what went around it, ""
// if no code does.
func fixed(t *testing.T, guard string) {
	t.Helper()
	if guard == "" {
		t.Errorf("fixed upstream: remove the guard in docs/notes/upstream.md (no code goes around it)")
		return
	}
	t.Errorf("fixed upstream: remove the guard in %s and the entry in docs/notes/upstream.md", guard)
}

// compute builds, compiles and runs a graph. Panics come back as errors.
func compute(b *backend.Backend, draw func(g *Graph) []*Node, inputs ...any) (out []*tensors.Tensor, err error) {
	err = exceptions.TryCatch[error](func() {
		g := NewGraph(b.Compute, "reproduction")
		defer g.Finalize()
		if err := g.Compile(draw(g)...); err != nil {
			panic(err)
		}
		out = g.Run(inputs...)
	})
	return out, err
}

// must is compute for what has to work for a test to say anything.
func must(t *testing.T, b *backend.Backend, draw func(g *Graph) []*Node, inputs ...any) []*tensors.Tensor {
	t.Helper()
	out, err := compute(b, draw, inputs...)
	if err != nil {
		t.Fatalf("what works beside the defect failed: %v", err)
	}
	return out
}

// attempt runs graph code that is expected to panic.
func attempt(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	f()
	return nil
}

var normal = backendtest.Normal

func scalar(t *tensors.Tensor) float64 { return float64(tensors.ToScalar[float32](t)) }

func flat(t *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](t) }
