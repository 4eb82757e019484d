package engine

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Evidence in blocks of one batch, whose activations are computed again, is that of all
// images at once, to the bit.
func TestEvidenceInBlocks(t *testing.T) {
	set, err := images.Open([]string{"photos:7"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	e := New(backendtest.Open(t, backend.Go))
	q := Request{Images: set, Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 2, Batch: 3}}
	var got [2]*metamer.Run
	for i, bytes := range []int64{1 << 30, 1} {
		whole := evidenceBytes
		t.Cleanup(func() { evidenceBytes = whole })
		evidenceBytes = bytes
		if got[i], err = e.Synthesize(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
	if len(got[0].Evidence) != 7 || !reflect.DeepEqual(got[0].Evidence, got[1].Evidence) || !reflect.DeepEqual(got[0].Nulls, got[1].Nulls) {
		t.Errorf("in blocks:\n%+v\n%+v\nat once:\n%+v\n%+v", got[1].Nulls, got[1].Evidence, got[0].Nulls, got[0].Evidence)
	}
	for _, c := range []struct{ dim, batch, n, want int }{{64, 3, 7, 7}, {64, 3, 4000, 1023}, {1 << 20, 3, 7, 3}, {1 << 10, 3, 0, 1}} {
		if got := blockOf([]int{c.dim}, c.batch, c.n, 1<<20); got != c.want {
			t.Errorf("%+v: blocks of %d", c, got)
		}
	}
}

// A run that is cancelled when its images are there, but not its evidence, keeps the
// images.
func TestCancelWithinEvidence(t *testing.T) {
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	e := New(backendtest.Open(t, backend.Go))
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := Request{Images: set, Store: store, Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 3}}
	ctx, cancel := context.WithCancel(context.Background())
	q.Progress = func(p metamer.Progress) {
		if p.Phase == "evidence" {
			cancel()
		}
	}
	if _, err := e.Synthesize(ctx, q); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before its evidence was complete") {
		t.Fatal(err)
	}
	steps := 0
	q.Progress = func(p metamer.Progress) {
		if p.Phase == "synthesis" {
			steps++
		}
	}
	run, err := e.Synthesize(context.Background(), q)
	if err != nil || steps > 0 || len(run.Evidence) != 2 {
		t.Fatalf("%d steps made again, %+v: %v", steps, run, err)
	}
	q.Store, q.Progress = nil, nil
	whole, err := e.Synthesize(context.Background(), q)
	if err != nil || worst(whole.Metamers, run.Metamers) != 0 || !reflect.DeepEqual(whole.Evidence, run.Evidence) || !reflect.DeepEqual(whole.Trace, run.Trace) {
		t.Errorf("the resumed run is another one: %v", err)
	}
}
