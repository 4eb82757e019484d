package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Match statistics say what becomes of an image in a PNG file: here the pixels of one are
// less than half a level from the reference, those of the other far from it.
func TestPNGVerdict(t *testing.T) {
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	e := New(backendtest.Open(t, backend.Go))
	q := Request{Images: set}
	q.Recipe.Models, q.Recipe.Stage = members("vit_4_96.mm_c10"), "late"
	if q, err = e.withNull(q); err != nil {
		t.Fatal(err)
	}
	r, tapped, err := e.resolve(q)
	if err != nil {
		t.Fatal(err)
	}
	run := &metamer.Run{Recipe: r}
	for k, v := range images.Rounded(set.Pixels) {
		if k < len(set.Pixels)/2 {
			v += float32(k%3-1) * 0.4 / 255
		} else {
			v = float32(k*k%97) / 96
		}
		run.Metamers = append(run.Metamers, min(max(v, 0), 1))
	}
	if err := e.testMatch(context.Background(), run, tapped, q); err != nil {
		t.Fatal(err)
	}
	near, far := run.Statistics[0], run.Statistics[1]
	if near.Loss == 0 || near.PNGLoss != 0 || near.PNGVerdict != metamer.Pass {
		t.Errorf("within half a level of the reference: %+v", near)
	}
	if far.PNGLoss < 0.1 || far.PNGVerdict != metamer.Fail {
		t.Errorf("far from the reference: %+v", far)
	}
	if pass, tested := run.PNGTally(); pass != 1 || tested != 2 {
		t.Errorf("%d of %d images pass as PNG, expected 1 of 2", pass, tested)
	}
	// An image of whole levels is the PNG.
	copy(run.Metamers, images.Rounded(run.Metamers))
	run.Statistics, run.Nulls = nil, nil
	if err := e.testMatch(context.Background(), run, tapped, q); err != nil {
		t.Fatal(err)
	}
	for _, s := range run.Statistics {
		if s.PNGLoss != s.Loss || s.PNGVerdict != s.Verdict {
			t.Errorf("of whole levels: %+v", s)
		}
	}
}

// A recipe's last phase gives metamers that are what a PNG file holds, to the bit.
func TestRoundedRun(t *testing.T) {
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	q := Request{Images: set, Recipe: metamer.Recipe{Models: members("vit_4_96.mm_c10"), Stage: "late", Steps: 4, Round: 3, Null: metamer.NullRef{Name: metamer.NoNull}}}
	run, err := New(backendtest.Open(t, backend.Go)).Synthesize(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if run.StepsRun != 7 || run.Recipe.Evaluations(run.StepsRun) != 7 || !slices.Equal(run.Metamers, images.Rounded(run.Metamers)) {
		t.Errorf("%d steps, %d evaluations; pixels are whole levels: %v", run.StepsRun, run.Recipe.Evaluations(7), slices.Equal(run.Metamers, images.Rounded(run.Metamers)))
	}
	for _, s := range run.Statistics {
		if s.PNGLoss != s.Loss {
			t.Errorf("%+v", s)
		}
	}
}
