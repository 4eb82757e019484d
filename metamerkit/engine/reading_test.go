package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
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
	if len(e.readings.Values()) != 2 {
		t.Fatalf("%d readings of references are kept, expected one an observer", len(e.readings.Values()))
	}
	before := e.readings.Values()
	for _, r := range before {
		if r.have != set.Len() || r.bytes() == 0 {
			t.Errorf("%s: %d of %d images, %d bytes", r.of, r.have, set.Len(), r.bytes())
		}
	}
	second := slices.DeleteFunc(ask(e, all[1]), func(r metamer.Row) bool { return r.Set == "" })
	if !slices.Equal(e.readings.Values(), before) {
		t.Error("the references were read again")
	}
	other := New(backendtest.Open(t, backend.XLA))
	if whole := ask(other, all...); !equalRows(append(first, second...), whole) {
		t.Errorf("%d and %d rows, one evaluation has others: %d", len(first), len(second), len(whole))
	}
	e.nets.Take(before[0].key.net, func(*zoo.Net) bool { return true })
	if !slices.Equal(e.readings.Values(), before[1:]) {
		t.Error("a model that is let go leaves its readings behind")
	}
	if e.readings.Trim(1, 0); len(e.readings.Values()) != 0 {
		t.Errorf("%d readings are left where there is no room", len(e.readings.Values()))
	}
}

// A reading without activations does not serve where they are wanted.
func TestServes(t *testing.T) {
	with, without := &reading{layer: 0}, &reading{layer: -1}
	if !with.serves(true) || !with.serves(false) || without.serves(true) || !without.serves(false) {
		t.Error("a reading without activations is one of activations")
	}
}
