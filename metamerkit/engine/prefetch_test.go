package engine

import (
	"context"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// The next run's units are compiled while one is made, unless there is no room for its
// models or the run is there; bits and match statistics are those of runs that were asked for one
// by one.
func TestAhead(t *testing.T) {
	set := cifar(t, "cifar10:3")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		if b.Kind != backend.Go && os.Getenv("METAMERS_LONG") == "" {
			t.Skip("half a minute: METAMERS_LONG=1")
		}
		first := metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet2b"), Stage: "late", Steps: 3, Batch: 2}
		next := first
		next.Models, next.Stage = members("resnet2b", "resnet4b"), "early"
		alone := New(b)
		want := [2]*metamer.Run{}
		for i, r := range []metamer.Recipe{first, next} {
			var err error
			if want[i], err = alone.Synthesize(context.Background(), Request{Recipe: r, Images: set}); err != nil {
				t.Fatal(err)
			}
		}
		units := func(e *Engine) (n int) { // at the next one's layers
			for _, k := range e.compiled.Keys() {
				if k.what == "unit" {
					n++
				}
			}
			return n
		}
		store, err := runs.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		e := New(b)
		q := Request{Recipe: first, Next: &next, Images: set, Store: store.Where()}
		// The first step waits until all is compiled.
		q.Progress = func(p metamer.Progress) {
			if p.Phase != metamer.Stepping {
				return
			}
			for e.compiled.Busy() || len(e.compiled.Keys()) < 3*3 { // a unit, a probe and one of the null set each
				runtime.Gosched()
			}
		}
		run, err := e.Synthesize(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n := units(e); n != 3 {
			t.Errorf("%d units are compiled, expected one and the next run's two", n)
		}
		before := len(e.compiled.Keys())
		second, err := e.Synthesize(context.Background(), Request{Recipe: next, Images: set, Store: store.Where()})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.compiled.Keys()) != before {
			t.Errorf("%d things more were compiled for a run that was prepared", len(e.compiled.Keys())-before)
		}
		for i, run := range []*metamer.Run{run, second} {
			if run.ID != want[i].ID || !slices.Equal(run.Metamers, want[i].Metamers) || !slices.Equal(run.Statistics, want[i].Statistics) {
				t.Errorf("run %d is another one", i)
			}
		}
		e = New(b)
		e.Weights = 1
		e.prefetch(context.Background(), Request{Recipe: first, Next: &next, Images: set}, first.WithDefaults(), nil)
		if len(e.nets.Values()) != 0 {
			t.Error("models are opened early for which there is no room")
		}
		e.Weights = 1 << 30
		there, err := e.withNull(Request{Recipe: first, Next: &next, Images: set, Store: store.Where()})
		if err != nil {
			t.Fatal(err)
		}
		e.prefetch(context.Background(), there, first.WithDefaults(), nil)
		if len(e.nets.Values()) != 0 {
			t.Error("models are opened for a run that is there")
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		e.prefetch(gone, Request{Recipe: first, Next: &next, Images: set}, first.WithDefaults(), nil)
		if len(e.nets.Values()) != 0 {
			t.Error("models are opened after the end")
		}
	})
}
