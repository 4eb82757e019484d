package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// What several ask for is compiled once, while others use the engine; where it fails, each
// tries for itself.
func TestKeptOnce(t *testing.T) {
	e := &Engine{compiled: map[string]any{}, building: map[string]*build{}}
	began, goOn := make(chan struct{}), make(chan struct{})
	times := 0 // e.mu
	compile := func() (*int, error) {
		close(began)
		<-goOn
		return new(int), nil
	}
	var all sync.WaitGroup
	got := make([]*int, 3)
	ask := func(i int) {
		e.mu.Lock()
		defer e.mu.Unlock()
		var err error
		if got[i], err = kept(e, func() (*int, error) { times++; return compile() }, "a"); err != nil { // one at a time: the first waits
			t.Error(err)
		}
	}
	all.Go(func() { ask(0) })
	<-began
	e.mu.Lock() // is free while the first compiles
	if v, err := kept(e, func() (*int, error) { return nil, errors.New("no") }, "b"); v != nil || err == nil {
		t.Error("an error is lost")
	}
	if v, err := kept(e, func() (*int, error) { return new(int), nil }, "b"); v == nil || err != nil {
		t.Error("what failed once fails for ever", err)
	}
	e.mu.Unlock()
	all.Go(func() { ask(1) })
	all.Go(func() { ask(2) })
	close(goOn)
	all.Wait()
	if times != 1 || got[0] == nil || got[1] != got[0] || got[2] != got[0] || len(e.building) != 0 || !slices.Contains(e.order, "a") {
		t.Errorf("compiled %d times, %v", times, got)
	}
	func() {
		defer func() { _ = recover() }()
		e.mu.Lock()
		defer e.mu.Unlock()
		_, _ = kept(e, func() (*int, error) { panic("x") }, "c")
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.building) != 0 {
		t.Error("what panicked is being compiled for ever")
	}
}

// The next run's units are compiled while one is made, unless there is no room for its
// models or the run is there; bits and evidence are those of runs that were asked for one
// by one.
func TestAhead(t *testing.T) {
	set := cifar(t, "cifar10:3")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		if b.Kind != backend.Go && os.Getenv("METAMERS_LONG") == "" {
			t.Skip("half a minute: METAMERS_LONG=1")
		}
		first := metamer.Recipe{Models: members("resnet2b"), Stage: "late", Steps: 3, Batch: 2}
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
			e.mu.Lock()
			defer e.mu.Unlock()
			for _, k := range e.order {
				if strings.HasPrefix(k, "unit ") {
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
		// The first step waits until all is compiled: with the engine's lock given back in
		// between, as a long run does.
		q.Progress = func(p metamer.Progress) {
			if p.Phase != "synthesis" {
				return
			}
			for len(e.building) > 0 || len(e.order) < 3*3 { // a unit, a probe and one of the null set each
				e.yield()
			}
		}
		run, err := e.Synthesize(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n := units(e); n != 3 {
			t.Errorf("%d units are compiled, expected one and the next run's two", n)
		}
		before := len(e.order)
		second, err := e.Synthesize(context.Background(), Request{Recipe: next, Images: set, Store: store.Where()})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.order) != before {
			t.Errorf("%d things more were compiled for a run that was prepared", len(e.order)-before)
		}
		for i, run := range []*metamer.Run{run, second} {
			if run.ID != want[i].ID || !slices.Equal(run.Metamers, want[i].Metamers) || !slices.Equal(run.Statistics, want[i].Statistics) {
				t.Errorf("run %d is another one", i)
			}
		}
		e = New(b)
		e.Weights = 1
		e.ahead(context.Background(), Request{Recipe: first, Next: &next, Images: set}, first.WithDefaults(), nil)
		if len(e.nets) != 0 {
			t.Error("models are opened early for which there is no room")
		}
		e.Weights = 1 << 30
		there, err := e.withNull(Request{Recipe: first, Next: &next, Images: set, Store: store.Where()})
		if err != nil {
			t.Fatal(err)
		}
		e.ahead(context.Background(), there, first.WithDefaults(), nil)
		if len(e.nets) != 0 {
			t.Error("models are opened for a run that is there")
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		e.ahead(gone, Request{Recipe: first, Next: &next, Images: set}, first.WithDefaults(), nil)
		if len(e.nets) != 0 {
			t.Error("models are opened after the end")
		}
	})
}
