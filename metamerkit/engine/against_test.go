package engine

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Metamers for one network and not for another reach their verdict in few steps. The store
// gives them back as they were, and blocks have the bits of the whole.
func TestAgainst(t *testing.T) {
	e := New(backendtest.Open(t, backend.XLA))
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q := Request{Images: set, Store: store.Where(), Recipe: metamer.Recipe{
		Models: members("plain7_48.mm_c10_linf8"), Stage: "late", Steps: 200, Batch: 1,
		Against: &metamer.Against{Models: members("vit_4_96.mm_c10")},
	}}
	run, err := e.Synthesize(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(run.Verdict())
	for _, s := range append(slices.Clone(run.Statistics), run.Against...) {
		t.Logf("%+v", s)
	}
	if parted, tested := run.Parted(); parted != 2 || tested != 2 {
		t.Errorf("%d of %d images are metamers for the one and not for the other, expected both", parted, tested)
	}
	if len(run.Statistics) != 2 || len(run.Against) != 2 || run.AgainstNulls[0].Member != "vit_4_96.mm_c10" || run.Recipe.Steps != 100 || run.Recipe.Evaluations(100) != 200 {
		t.Errorf("statistics %d and %d, nulls %+v, %d steps", len(run.Statistics), len(run.Against), run.AgainstNulls, run.Recipe.Steps)
	}
	for _, m := range []int{0, 1} {
		if !slices.Contains(run.Trace.Member, m) {
			t.Errorf("the trace has no losses of model %d", m)
		}
	}
	again, err := e.Synthesize(t.Context(), q)
	if err != nil || !again.Cached || !slices.Equal(again.Against, run.Against) || !slices.Equal(again.AgainstNulls, run.AgainstNulls) || again.Recipe.ID() != run.ID {
		t.Errorf("the stored run: %v, %+v", err, again)
	}
	if c := store.Verify(t.Context(), run.ID); c.State != runs.Whole {
		t.Errorf("%+v", c)
	}
	rows, err := e.Evaluate(t.Context(), Evaluation{Runs: []*metamer.Run{again}, Images: set, Observers: []string{"vit_4_96.mm_c10"}, Measures: []string{"success"}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]metamer.Row{}
	for _, r := range rows {
		if r.Image < 0 {
			found[r.Measure+" "+r.Observer] = r
		}
	}
	for _, name := range []string{"apart ", "apart vit_4_96.mm_c10"} {
		if r := found[name]; r.Value != 1 || r.Count != 2 || r.High != 1 || !(r.Low > 0.3 && r.Low < 0.4) {
			t.Errorf("%s: %+v, expected 1 with Wilson's interval", name, r)
		}
	}
	for _, name := range []string{"apart/correlation ", "apart/correlation vit_4_96.mm_c10"} { // of all models together, and of each
		if r, want := found[name], 1-(run.Against[0].Pearson+run.Against[1].Pearson)/2; math.Abs(r.Value-want) > 1e-12 || r.Count != 2 || !slices.Equal(r.Against(), []string{"vit_4_96.mm_c10"}) {
			t.Errorf("%s: %+v, expected %v", name, r, want)
		}
	}
	blocks, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q.Store, q.Blocks = blocks.Where(), 1
	joined, err := e.Synthesize(t.Context(), q)
	if err != nil || !slices.Equal(joined.Metamers, run.Metamers) || !slices.Equal(joined.Against, run.Against) {
		t.Errorf("in blocks: %v, expected the same bits", err)
	}
}

// What cannot be carried out against other models is named.
func TestAgainstRefused(t *testing.T) {
	e := New(backendtest.Open(t, backend.Go))
	set, err := images.Open([]string{"photos:1"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(r *metamer.Recipe){
		"appears twice":            func(r *metamer.Recipe) { r.Against.Models = r.Models },
		"no model given":           func(r *metamer.Recipe) { r.Against.Models = nil },
		"the loss cosine":          func(r *metamer.Recipe) { r.Loss = "cosine" },
		"the schedule switch":      func(r *metamer.Recipe) { r.Optimizer.Name, r.Schedule.Kind = "pgd", metamer.Switch },
		"the start reference":      func(r *metamer.Recipe) { r.Start.Kind = "reference" },
		"a penalty":                func(r *metamer.Recipe) { r.Penalties = []metamer.Penalty{{Name: "tv", Weight: 1}} },
		"the level is -1":          func(r *metamer.Recipe) { r.Against.Level = -1 },
		"without a null set":       func(r *metamer.Recipe) { r.Null.Name = metamer.NoNull },
		"expected at least 1000":   func(r *metamer.Recipe) { r.Null.Name = "photos:10" },
		"unknown model \"vitt_4\"": func(r *metamer.Recipe) { r.Against.Models = members("vitt_4") },
	} {
		q := Request{Images: set, Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10"), Stage: "late", Against: &metamer.Against{Models: members("vit_4_96.mm_c10")}}}
		change(&q.Recipe)
		if _, err := e.Synthesize(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q in it", err, want)
		}
	}
}
