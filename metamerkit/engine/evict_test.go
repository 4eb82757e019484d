package engine

import (
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// With room for one model, the one used longest ago goes, and what was compiled for
// it too; it comes back when it is asked for.
func TestEvict(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.Go))
	if _, _, err := e.Activations("resnet2b", []string{"late"}, set, 2); err != nil {
		t.Fatal(err)
	}
	e.Weights = 1
	if _, _, err := e.Activations("resnet4b", []string{"late"}, set, 2); err != nil {
		t.Fatal(err)
	}
	if len(e.nets.Values()) != 1 || len(e.compiled.Keys()) != 1 || !slices.Equal(e.Loaded(), []string{"resnet4b"}) {
		t.Errorf("%d models, %d compiled, loaded %v", len(e.nets.Values()), len(e.compiled.Keys()), e.Loaded())
	}
	if _, _, err := e.Activations("resnet2b", []string{"late"}, set, 2); err != nil || !slices.Equal(e.Loaded(), []string{"resnet2b"}) {
		t.Errorf("loaded %v: %v", e.Loaded(), err)
	}
}
