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

// Variants of an image keep their verdict and are farther apart than metamers from different
// starts. Blocks have the bits of the whole, the references are found again by their name, and
// rows say how far the variants are apart.
func TestVariants(t *testing.T) {
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
		Models: members("plain7_48.mm_c10"), Stage: "middle", Steps: 300, Batch: 3, Variants: &metamer.Variants{Count: 2, Level: 0.15},
	}}
	run, err := e.Synthesize(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(run.Verdict())
	if pass, tested := run.Tally(); pass != 4 || tested != 4 || run.Recipe.Batch != 2 || run.Recipe.Images.Count != 4 {
		t.Errorf("%d of %d pass in batches of %d of %d, expected 4 of 4 in batches of 2 of 4", pass, tested, run.Recipe.Batch, run.Recipe.Images.Count)
	}
	apart := q
	apart.Recipe.Variants = &metamer.Variants{Count: 2, Metric: "none"}
	starts, err := e.Synthesize(t.Context(), apart)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(starts.Verdict())
	driven, _ := run.Spread()
	alone, _ := starts.Spread()
	for i := range driven {
		if !(driven[i] > 1.5*alone[i]) {
			t.Errorf("image %d: variants %.3f apart, metamers from different starts %.3f, expected 1.5 times as much or more", i, driven[i], alone[i])
		}
	}
	bySSIM := q
	bySSIM.Recipe.Variants = &metamer.Variants{Count: 2, Metric: "ssim", Level: 0.15}
	unlike, err := e.Synthesize(t.Context(), bySSIM)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(unlike.Verdict())
	alike, err := e.alike(t.Context(), unlike)
	if err != nil {
		t.Fatal(err)
	}
	before, err := e.alike(t.Context(), starts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range alike {
		if !(alike[i] < before[i]-0.2) {
			t.Errorf("image %d: SSIM of variants %.3f, of metamers from different starts %.3f, expected at least .2 less", i, alike[i], before[i])
		}
	}
	again, err := e.Synthesize(t.Context(), q)
	if err != nil || !again.Cached || again.ID != run.ID {
		t.Errorf("the stored run: %v, %+v", err, again)
	}
	rows, err := e.Evaluate(t.Context(), Evaluation{Runs: []*metamer.Run{again}, Observers: []string{"plain7_48.mm_c10"}, Measures: []string{"success", "jsd"}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]metamer.Row{}
	for _, r := range rows {
		if r.Image < 0 {
			found[r.Measure+" "+r.Observer] = r
		}
		if r.Measure == "variants/pixels" && r.Image > 0 && (r.Image != 2 || r.Name != set.Names[1]) {
			t.Errorf("%+v, expected the row of the second reference", r)
		}
	}
	if r := found["variants/pixels "]; math.Abs(r.Value-(driven[0]+driven[1])/2) > 1e-12 || r.Count != 2 {
		t.Errorf("%+v, expected the mean of %v", r, driven)
	}
	if r := found["variants/ssim "]; !(r.Value > -1 && r.Value < before[0]) || r.Count != 2 {
		t.Errorf("%+v, expected the mean SSIM of two variants", r)
	}
	if r := found["success plain7_48.mm_c10"]; r.Value != 1 || r.Count != 2 {
		t.Errorf("%+v, expected 1 of 2 references", r)
	}
	if r := found["jsd/pearson plain7_48.mm_c10"]; !strings.Contains(r.Reason, "variants of one reference") {
		t.Errorf("%+v, expected a reason", r)
	}
	blocks, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q.Store, q.Blocks = blocks.Where(), 2
	joined, err := e.Synthesize(t.Context(), q)
	if err != nil || !slices.Equal(joined.Metamers, run.Metamers) {
		t.Errorf("in blocks: %v, expected the same bits", err)
	}
}

// What variants cannot be made with is named.
func TestVariantsRefused(t *testing.T) {
	e := New(backendtest.Open(t, backend.Go))
	set, err := images.Open([]string{"photos:1"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(r *metamer.Recipe){
		"expected at least 2":          func(r *metamer.Recipe) { r.Variants.Count = 1 },
		"unknown metric \"pixel\"":     func(r *metamer.Recipe) { r.Variants.Metric = "pixel" },
		"against other models":         func(r *metamer.Recipe) { r.Against = &metamer.Against{Models: members("vit_4_96.mm_c10")} },
		"begin at the same image":      func(r *metamer.Recipe) { r.Start.Kind = "reference" },
		"the schedule switch":          func(r *metamer.Recipe) { r.Optimizer.Name, r.Schedule.Kind = "pgd", metamer.Switch },
		"another metric than none":     func(r *metamer.Recipe) { r.Variants.Metric, r.Variants.Level = "none", 0.1 },
		"the level is -1":              func(r *metamer.Recipe) { r.Variants.Level = -1 },
		"no level follows":             func(r *metamer.Recipe) { r.Null.Name = metamer.NoNull },
		"cannot have a stop criterion": func(r *metamer.Recipe) { r.Stop.Loss = 0.1 },
	} {
		q := Request{Images: set, Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10"), Stage: "late", Variants: &metamer.Variants{Count: 2}}}
		change(&q.Recipe)
		if _, err := e.Synthesize(t.Context(), q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q in it", err, want)
		}
	}
}
