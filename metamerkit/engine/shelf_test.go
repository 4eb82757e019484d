package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Runs that are evaluated one by one have the rows of one evaluation of all, and their
// references are read once.
func TestOneByOne(t *testing.T) {
	set := cifar(t, "cifar10:8")
	e := New(backendtest.Open(t, backend.XLA))
	var all []*metamer.Run
	for _, models := range [][]string{{"resnet2b"}, {"resnet2b", "resnet4b"}} {
		run := made(t, e, set, models...)
		run.Dir = "" // rows are not kept
		all = append(all, run)
	}
	ask := func(e *Engine, runs ...*metamer.Run) metamer.Rows {
		t.Helper()
		rows, err := e.Evaluate(context.Background(), Evaluation{Runs: runs, Images: set, Observers: []string{"resnet2b", "resnet4b"}, Similarities: []string{"pearson", "spearman"}, Metrics: []string{"tv", "noise"}, Bootstrap: quickBoot})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	first := ask(e, all[0])
	if len(e.shelf.readings) != 2 {
		t.Fatalf("%d readings of references are kept, expected one an observer", len(e.shelf.readings))
	}
	before := slices.Clone(e.shelf.readings)
	for _, r := range before {
		if r.have != set.Len() || r.bytes() == 0 {
			t.Errorf("%s: %d of %d images, %d bytes", r.name, r.have, set.Len(), r.bytes())
		}
	}
	second := slices.DeleteFunc(ask(e, all[1]), func(r metamer.Row) bool { return r.Set == "" })
	if !slices.Equal(e.shelf.readings, before) {
		t.Error("the references were read again")
	}
	other := New(backendtest.Open(t, backend.XLA))
	if whole := ask(other, all...); !equalRows(append(first, second...), whole) {
		t.Errorf("%d and %d rows, one evaluation has others: %d", len(first), len(second), len(whole))
	}
	e.shelf.without(before[0].net)
	if !slices.Equal(e.shelf.readings, before[1:]) {
		t.Error("a model that is let go leaves its readings behind")
	}
	if e.shelf.shrink(1); len(e.shelf.readings) != 0 {
		t.Errorf("%d readings are left where there is no room", len(e.shelf.readings))
	}
}

// Readings are let go in the order of their use; the last stays while it is needed, and one
// without activations does not serve where they are wanted.
func TestShelf(t *testing.T) {
	var s shelf
	read := func(name string, layer int) *reading {
		return &reading{name: name, layer: layer, held: [][]float32{make([]float32, 10)}}
	}
	a, b, c := read("a", 0), read("b", 0), read("c", -1)
	for _, r := range []*reading{a, b, c} {
		s.put(r, 100)
	}
	if s.take("a", true) != nil || s.take("b", true) != b || s.take("b", false) != nil {
		t.Error("the order of use is not kept")
	}
	if s.take("c", true) != nil || s.take("c", false) != c {
		t.Error("a reading without activations is one of activations")
	}
	if s.put(a, 1); s.take("a", true) != a {
		t.Error("the last reading does not stay")
	}
}
