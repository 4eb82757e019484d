package study

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// The runs of a plan are compared with those that the store holds of the same recipes with
// another seed, of which there may be fewer.
func TestAnotherSeed(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stored := func(model string, seed uint64, steps int, distance float64, verdict string) *metamer.Run {
		r := metamer.Recipe{Models: []metamer.ModelRef{{Name: model, Layer: "l"}}, Stage: "late", Images: metamer.ImageRef{Name: "x", Count: 2, Size: 4}, Seed: seed, Steps: steps}.WithDefaults()
		run := &metamer.Run{ID: r.ID(), Recipe: r, Names: []string{"a", "b"}, Metamers: make([]float32, 2*4*4*3), Start: make([]float32, 2*4*4*3), StepsRun: steps}
		run.Statistics = []metamer.MatchStatistics{{Image: 0, Member: model, Loss: distance, Verdict: metamer.Pass}, {Image: 1, Member: model, Loss: distance, Verdict: verdict}}
		w, before, err := store.Begin(t.Context(), r)
		if err != nil || before != nil {
			t.Fatal(before, err)
		}
		if err := errors.Join(w.Finish(run, nil), w.Close()); err != nil {
			t.Fatal(err)
		}
		return run
	}
	r := &Result{Plan: Plan{Stages: []string{"early", "late"}}, Runs: []*metamer.Run{stored("a", 0, 20, .2, metamer.Pass), stored("b", 0, 20, .4, metamer.Pass)}}
	expect := func(parts ...string) {
		t.Helper()
		var err error
		if r.repeats, err = repeats(context.Background(), store, r.Runs); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if got := r.anotherSeed(); !strings.Contains(got, p) {
				t.Errorf("%q does not say %q", got, p)
			}
		}
	}
	stored("a", 3, 21, .1, metamer.Pass) // another recipe
	expect("Not measured: all runs have the seed 0", "--seed 1")
	stored("a", 1, 20, .25, metamer.Fail)
	expect("Measured for 1 of 2 runs, with the seeds 0 and 1. Late: relative L2 distance 0.200 and 0.250, metamers 2 of 2 and 1 of 2.", "differ by 25 % at most")
	stored("a", 4, 20, .2, metamer.Pass)
	stored("b", 4, 20, .4, metamer.Pass)
	expect("Measured for all runs, with the seeds 0 and 4. Late: relative L2 distance 0.300 and 0.300, metamers 4 of 4 and 4 of 4.", "differ by 0 % at most")
}
