package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Batches are equal and as few as can be.
func TestEvenly(t *testing.T) {
	for _, c := range [][3]int{{16, 16, 16}, {20, 16, 10}, {400, 16, 16}, {400, 256, 200}, {5, 256, 5}, {33, 16, 11}, {7, 1, 1}} {
		if got := evenly(c[0], c[1]); got != c[2] {
			t.Errorf("%d images, at most %d: batches of %d, expected %d", c[0], c[1], got, c[2])
		}
	}
}

// A recipe that leaves its batch open names the one that it got, and is the run of the
// recipe that says so; what does not fit the memory makes it smaller.
func TestAutoBatch(t *testing.T) {
	e := New(backendtest.Open(t, backend.XLA))
	set, err := images.Open([]string{"photos:18"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 2, Batch: metamer.AutoBatch}
	ctx := context.Background()
	shared, err := e.Batch(ctx, api.Batch{Recipes: []metamer.Recipe{r, {Models: r.Models, Stage: "late", Optimizer: metamer.Optimizer{Name: "fast"}}}, Count: 18, Size: 32})
	if err != nil || shared < 9 || shared > 18 || 18%shared != 0 {
		t.Fatalf("a batch of %d: %v", shared, err)
	}
	var seen metamer.Progress
	q := Request{Recipe: r, Images: set, Store: store.Where(), Progress: func(p metamer.Progress) {
		if p.Phase == metamer.Stepping {
			seen = p
		}
	}}
	run, err := e.Synthesize(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if run.Recipe.Batch != shared || seen.Batch != shared || seen.Share() != 1 {
		t.Errorf("the run's batch is %d, its progress %+v, expected %d", run.Recipe.Batch, seen, shared)
	}
	if again, err := e.Synthesize(ctx, q); err != nil || !again.Cached || again.ID != run.ID {
		t.Errorf("asked again: %+v %v", again, err)
	}
	q.Recipe.Batch = shared
	if said, err := e.Synthesize(ctx, q); err != nil || said.ID != run.ID {
		t.Errorf("the recipe with the batch named is another run: %v", err)
	}
	q.Recipe.Batch, q.Blocks = metamer.AutoBatch, 9
	if _, err := e.Synthesize(ctx, q); err == nil || !strings.Contains(err.Error(), "by number") {
		t.Errorf("blocks: %v", err)
	}
	s, err := e.tappedModel("plain7_48.mm_c10", "early", "")
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithDefaults()
	r.Images.Size, r.Batch = 32, 1
	one, derived, err := e.needs(s, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		free  uint64
		batch int
	}{{2 * (3*one + derived), 3}, {one, 1}} {
		if got := atMost(256, c.free, one, derived); got != c.batch {
			t.Errorf("%d bytes free, %d an image: %d images, expected %d", c.free, one, got, c.batch)
		}
	}
}

// A run of several files that is found again for others with the same pixels has the names
// of these, and says so.
func TestOtherNames(t *testing.T) {
	e := New(backendtest.Open(t, backend.Go))
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	set.Name, set.Names = "2 files", []string{"a", "b\xff"}
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 1, Null: metamer.NullRef{Name: metamer.NoNull}}
	for _, c := range []struct{ names, told []string }{
		{[]string{"a", "b\xff"}, nil}, {[]string{"a", "b\xff"}, nil}, {[]string{"c", "d"}, []string{"a, b\ufffd"}},
	} {
		other, told := *set, []string{}
		other.Names = c.names
		run, err := e.Synthesize(context.Background(), Request{Recipe: r, Images: &other, Store: store.Where(), Warn: func(s string) { told = append(told, s) }})
		if err != nil {
			t.Fatal(err)
		}
		if run.Name(0) != c.names[0] || len(told) != len(c.told) || len(told) > 0 && !strings.HasSuffix(told[0], c.told[0]) {
			t.Errorf("%q: the run has %q, told %q", c.names, run.Names, told)
		}
	}
}
