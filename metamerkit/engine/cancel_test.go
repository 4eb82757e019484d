package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// after is cancelled once it was asked left times.
type after struct {
	context.Context
	left *int
}

func (a after) Err() error {
	if *a.left--; *a.left < 0 {
		return context.Canceled
	}
	return nil
}

// A run that is cancelled between any two steps, also within a chunk, goes on from
// the very step and ends bit-equal.
func TestCancelWithinChunk(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.Go))
	for _, c := range []struct {
		optimizer, schedule string
		warm                *metamer.WarmUp
	}{{"momentum", "switch", nil}, {"momentum", "average", nil}, {"lbfgs", "average", nil}, {"lbfgs", "average", &metamer.WarmUp{Stage: "middle", Evaluations: 8}}} {
		recipe := metamer.Recipe{Models: members("resnet2b", "resnet4b"), Stage: "late", Steps: 14, Schedule: metamer.Schedule{Kind: c.schedule}, WarmUp: c.warm, Optimizer: metamer.Optimizer{Name: c.optimizer}}
		whole := pixels(t, e, Request{Recipe: recipe, Images: set})
		for left := 1; left <= 13; left += 3 {
			store, err := runs.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			n := left
			_, err = e.Synthesize(after{context.Background(), &n}, Request{Recipe: recipe, Images: set, Store: store.Where()})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, %d: %v", c, left, err)
			}
			if d := worst(whole, pixels(t, e, Request{Recipe: recipe, Images: set, Store: store.Where()})); d != 0 {
				t.Errorf("%v, cancelled when asked %d times (%v): the resumed run differs by %g", c, left, err, d)
			}
		}
	}
}

// A batch that cannot fit is refused before anything is allocated, with one that can.
func TestTooLittleMemory(t *testing.T) {
	cifar(t, "cifar10:1") // the weights are there, or skip
	e := New(backendtest.Open(t, backend.Go))
	s, err := e.tappedModel("resnet56", "late", "")
	if err != nil {
		t.Fatal(err)
	}
	err = e.enoughMemory([]synth.TappedModel{s}, metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Batch: 1 << 30, Images: metamer.ImageRef{Size: 32}})
	if err == nil {
		t.Fatal("a thousand million images in one batch are accepted")
	}
	for _, want := range []string{"resnet56_cifar10", "1073741824 images", "MB are free", "use a batch of at most"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
	if err := e.enoughMemory([]synth.TappedModel{s}, metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Batch: 1, Images: metamer.ImageRef{Size: 32}}); err != nil {
		t.Errorf("one image: %v", err)
	}
}
