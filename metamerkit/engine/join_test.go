package engine

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// A run put together from blocks is that of the whole, to the bit: metamers, start,
// losses, match statistics. The last batch is short, and a block alone is a run of its own. On
// a GPU it is so to rounding: what kernels are fastest depends on the size of a batch.
func TestBlocks(t *testing.T) {
	set, err := images.Open([]string{"photos:11"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e, near := New(b), 0.0
		if b.Kind == backend.CUDA {
			near = 1e-6
		}
		made := func(blocks int, part [2]int) (*runs.Store, *metamer.Run) {
			t.Helper()
			store, err := runs.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			q := Request{Images: set, Store: store.Where(), Blocks: blocks,
				Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 2, Batch: 4, Seed: 3, Optimizer: metamer.Optimizer{Name: "pgd", StepSize: 2}}}
			if part[1] > 0 {
				if q.Images, err = set.Part(part[0], part[1]); err != nil {
					t.Fatal(err)
				}
			}
			run, err := e.Synthesize(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			return store, run
		}
		_, whole := made(0, [2]int{})
		store, joined := made(4, [2]int{})
		if joined.ID != whole.ID || worst(joined.Metamers, whole.Metamers) > near || worst(joined.Start, whole.Start) != 0 {
			t.Errorf("runs %s and %s, metamers differ by %g, starts by %g", joined.ID, whole.ID, worst(joined.Metamers, whole.Metamers), worst(joined.Start, whole.Start))
		}
		if joined.StepsRun != whole.StepsRun || near == 0 && !(reflect.DeepEqual(joined.Trace, whole.Trace) && reflect.DeepEqual(joined.Statistics, whole.Statistics) && reflect.DeepEqual(joined.Nulls, whole.Nulls)) {
			t.Error("loss trace or match statistics differ")
		}
		if ids, err := store.IDs(); err != nil || len(ids) != 4 {
			t.Errorf("%d runs in the store (%v), expected three blocks and the whole", len(ids), err)
		}
		// The last three images, made alone on another store: the block that is there.
		_, last := made(0, [2]int{8, 11})
		kept, err := store.Load(last.ID)
		if err != nil || worst(kept.Metamers, last.Metamers) > near || last.Recipe.Images.Of != 11 || last.Recipe.Batch != 4 {
			t.Errorf("block %+v: %v", last.Recipe.Images, err)
		}
		if refs, err := References(last); err != nil || refs.Len() != 3 || refs.First != 8 {
			t.Errorf("references of a block: %+v %v", refs, err)
		}
		if slices.Equal(last.Start[:100], whole.Start[:100]) {
			t.Error("the block starts as the first image does")
		}
		// recipe.json of a whole run is what it was before there were parts.
		data, err := os.ReadFile(filepath.Join(store.Dir, whole.ID, "recipe.json"))
		var fields struct{ Images map[string]any }
		if err != nil || json.Unmarshal(data, &fields) != nil || len(fields.Images) != 4 {
			t.Errorf("%v %v", fields, err)
		}
		q := Request{Images: set, Store: store.Where(), Blocks: 6, Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("plain7_48.mm_c10"), Stage: "late", Batch: 4}}
		if _, err := e.Synthesize(context.Background(), q); err == nil || !strings.Contains(err.Error(), "multiple of the batch, 4") {
			t.Error(err)
		}
	})
}
