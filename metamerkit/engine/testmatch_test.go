package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// The verdict of an image is the same alone and among 63 others, to the bit, also where
// these are the null set itself.
func TestVerdictAlone(t *testing.T) {
	set, err := images.Open([]string{metamer.DefaultNull}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Open(t, backend.Go)
	tested := func(e *Engine, q Request) *metamer.Run {
		t.Helper()
		q.Recipe.Models, q.Recipe.Stage, q.Recipe.Start.Kind = members("vit_4_96.mm_c10"), "late", "reference"
		q, err := e.withNull(q)
		if err != nil {
			t.Fatal(err)
		}
		r, tapped, err := e.resolve(q)
		if err != nil {
			t.Fatal(err)
		}
		run := &metamer.Run{Recipe: r}
		for i := range q.Images.Len() { // further from the references, image by image
			for k, v := range q.Images.Image(i) {
				run.Metamers = append(run.Metamers, v+float32((k*k+k)%7-3)*0.01*float32(i))
			}
		}
		if err := e.testMatch(context.Background(), run, tapped, q); err != nil {
			t.Fatal(err)
		}
		return run
	}
	e := New(b)
	all := tested(e, Request{Images: set})
	if all.Nulls[0].Of() != "2016 pairs of photos:64" || all.Recipe.Null.SHA256 != all.Nulls[0].SHA256 || all.Recipe.Null.Pairs != 2016 {
		t.Errorf("null %+v of recipe %+v", all.Nulls[0], all.Recipe.Null)
	}
	if pass, of := all.Tally(); of != 64 || pass == 0 || pass == 64 {
		t.Errorf("%d of %d images pass: expected some that do and some that do not", pass, of)
	}
	for _, e := range []*Engine{e, New(b)} { // the second one computes the null again
		one := tested(e, Request{Images: set.Slice(0, 1)})
		if one.Statistics[0] != all.Statistics[0] || one.Nulls[0] != all.Nulls[0] || one.Statistics[0].Verdict != metamer.Pass {
			t.Errorf("alone %+v\n%+v\namong others %+v\n%+v", one.Statistics[0], one.Nulls[0], all.Statistics[0], all.Nulls[0])
		}
	}
	// Images that the null set has twice count once, and a set that is too small tests nothing.
	twice := set.Slice(0, 30)
	twice.Name = "thirty"
	twice.Names, twice.Labels, twice.Pixels = append(twice.Names[:30:30], "again"), append(twice.Labels[:30:30], -1), append(twice.Pixels[:len(twice.Pixels):len(twice.Pixels)], set.Image(3)...)
	few := tested(e, Request{Images: set.Slice(0, 1), Null: twice})
	if ev := few.Statistics[0]; few.Recipe.Null.Pairs != 435 || few.Recipe.Null.Name != "thirty" || ev.Verdict != metamer.NotTested || ev.Loss != all.Statistics[0].Loss {
		t.Errorf("%+v\n%+v", few.Recipe.Null, ev)
	}
	if got := few.Verdict(); got != "1 image not tested: the null set thirty has 435 pairs, expected at least 1000" {
		t.Error(got)
	}
}

// The null distribution of activations that find no room is computed in blocks, to the
// same values; without a null set nothing is computed.
func TestNullInBlocks(t *testing.T) {
	e := New(backendtest.Open(t, backend.XLA))
	set, err := e.nullSet("photos:50", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.tappedModel("vit_4_96.mm_c10", "late", "")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := e.null(context.Background(), s, set)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.null(context.Background(), s, set); err != nil || !reflect.DeepEqual(again, whole) || len(e.nulls.Values()) != 1 {
		t.Errorf("asked again: %+v: %v", again, err)
	}
	room := nullMemory
	t.Cleanup(func() { nullMemory = room })
	nullMemory = 1 << 15 // a few activations
	e.nulls.Trim(0, 0)
	blocks, err := e.null(context.Background(), s, set)
	if err != nil || math.Abs(blocks.Pearson-whole.Pearson) > 1e-9 || math.Abs(blocks.Spearman-whole.Spearman) > 1e-9 || math.Abs(blocks.SNR-whole.SNR) > 1e-9 || blocks.Pairs != 1225 {
		t.Errorf("in blocks %+v, at once %+v: %v", blocks.Null, whole.Null, err)
	}
	if set, err = e.nullSet(metamer.NoNull, nil, 32); err != nil {
		t.Fatal(err)
	}
	if none, err := e.null(context.Background(), s, set); err != nil || none.Untested() != "there is no null set" {
		t.Errorf("%+v: %v", none, err)
	}
	if _, err := e.nullSet("", set.images, 32); err != nil { // none is given
		t.Error(err)
	}
}

// Of a large set as many images are taken as are compared, at equal distances.
func TestLargeNullSet(t *testing.T) {
	set := &images.Set{Name: "many", Size: 1}
	for i := range 3000 {
		set.Names, set.Labels = append(set.Names, fmt.Sprint(i)), append(set.Labels, i%10)
		set.Pixels = append(set.Pixels, float32(i), 0, 0)
	}
	got := distinct(set)
	if got.Len() != metamer.MaxNullImages || got.Names[0] != "0" || got.Names[1] != "2" || got.Names[1413] != "2997" || got.Pixels[3*1413] != 2997 {
		t.Errorf("%d images, %v …", got.Len(), got.Names[:2])
	}
}

// A run that is cancelled when its images are there, but not its match statistics, keeps the
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
	q := Request{Images: set, Store: store.Where(), Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 3}}
	ctx, cancel := context.WithCancel(context.Background())
	q.Progress = func(p metamer.Progress) {
		if p.Phase == metamer.Matching {
			cancel()
		}
	}
	if _, err := e.Synthesize(ctx, q); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before its match statistics were complete") {
		t.Fatal(err)
	}
	steps := 0
	q.Progress = func(p metamer.Progress) {
		if p.Phase == metamer.Stepping {
			steps++
		}
	}
	run, err := e.Synthesize(context.Background(), q)
	if err != nil || steps > 0 || len(run.Statistics) != 2 {
		t.Fatalf("%d steps made again, %+v: %v", steps, run, err)
	}
	q.Store, q.Progress = "", nil
	whole, err := e.Synthesize(context.Background(), q)
	if err != nil || worst(whole.Metamers, run.Metamers) != 0 || !reflect.DeepEqual(whole.Statistics, run.Statistics) || !reflect.DeepEqual(whole.Trace, run.Trace) {
		t.Errorf("the resumed run is another one: %v", err)
	}
}
