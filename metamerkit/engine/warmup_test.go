package engine

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// halves carries out a recipe, and then the steps that are left of another from its images,
// which are returned too.
func halves(t *testing.T, e *Engine, set *images.Set, first, whole metamer.Recipe) (begun []float32, second *metamer.Run) {
	t.Helper()
	begun = pixels(t, e, Request{Recipe: first, Images: set})
	given := *set
	given.Name, given.Pixels = "begun", begun
	whole.Steps, whole.WarmUp, whole.Start.Kind = whole.Steps-first.Steps, nil, "image"
	second, err := e.Synthesize(context.Background(), Request{Recipe: whole, Images: set, Given: &given})
	if err != nil {
		t.Fatal(err)
	}
	return begun, second
}

// A run that begins at another stage is, to the bit, a run there and one that starts
// from its images; the trace has the losses of the recipe's stage alone.
func TestWarmUp(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.Go))
	r := metamer.Recipe{Models: members("resnet2b", "resnet4b"), Stage: "late", Steps: 9, Optimizer: metamer.Optimizer{Name: "lbfgs"}, WarmUp: &metamer.WarmUp{Stage: "middle", Evaluations: 8}}
	run, err := e.Synthesize(context.Background(), Request{Recipe: r, Images: set})
	if err != nil {
		t.Fatal(err)
	}
	first := r
	first.Stage, first.Steps, first.WarmUp = "middle", 4, nil
	_, other := halves(t, e, set, first, r)
	if d := worst(run.Metamers, other.Metamers); d != 0 {
		t.Errorf("the two halves one after the other give images that differ by %g", d)
	}
	if n := len(run.Trace.Step); n != len(other.Trace.Step) || run.Trace.Step[0] != 4 || run.Trace.Loss[n-1][1] != other.Trace.Loss[n-1][1] {
		t.Errorf("the trace begins at step %d and has %d rows, expected 4 and %d, and the same losses", run.Trace.Step[0], n, len(other.Trace.Step))
	}
	if l := run.Recipe.Models[0].WarmUp; l == "" || l == run.Recipe.Models[0].Layer || !strings.Contains(run.Recipe.Describe(), "8 evaluations at middle") {
		t.Errorf("the recipe names the layer %q: %s", l, run.Recipe.Describe())
	}
	for name, bad := range map[string]metamer.Recipe{
		"pgd":               {Optimizer: metamer.Optimizer{Name: "pgd"}, WarmUp: r.WarmUp},
		"its own stage":     {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Stage: "late", Evaluations: 8}},
		"no stage":          {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Evaluations: 8}},
		"all of it":         {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Stage: "middle", Evaluations: 18}},
		"its own precision": {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Stage: "late", Evaluations: 8, Precision: "float32"}},
		"no precision":      {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Stage: "late", Evaluations: 8, Precision: "float8"}},
		"no layer":          {Optimizer: r.Optimizer, WarmUp: &metamer.WarmUp{Stage: "midle", Evaluations: 8}},
	} {
		bad.Models, bad.Stage, bad.Steps = r.Models, r.Stage, r.Steps
		if _, err := e.Synthesize(context.Background(), Request{Recipe: bad, Images: set}); err == nil {
			t.Errorf("%s is accepted", name)
		} else {
			t.Log(err)
		}
	}
}

// One that begins in another precision goes on from the images, and from what was learnt of
// the objective, which is the same but for rounding.
func TestWarmUpPrecision(t *testing.T) {
	set := cifar(t, "cifar10:2")
	e := New(backendtest.Open(t, backend.XLA))
	r := metamer.Recipe{Models: members("resnet2b"), Stage: "late", Steps: 7, Optimizer: metamer.Optimizer{Name: "lbfgs"}, WarmUp: &metamer.WarmUp{Stage: "late", Evaluations: 4, Precision: "mixed"}}
	run, err := e.Synthesize(context.Background(), Request{Recipe: r, Images: set})
	if err != nil {
		t.Fatal(err)
	}
	first := r
	first.Steps, first.WarmUp, first.Precision = 4, nil, "mixed"
	begun, other := halves(t, e, set, first, r)
	if run.Trace.Step[0] != 4 || !slices.Equal(run.Trace.Loss[0], other.Trace.Loss[0]) {
		t.Errorf("the second half begins at step %d with the losses %v, expected 4 and %v", run.Trace.Step[0], run.Trace.Loss[0], other.Trace.Loss[0])
	}
	if worst(run.Metamers, other.Metamers) == 0 {
		t.Error("what was learnt in the first half is forgotten")
	}
	if first.Precision = ""; worst(begun, pixels(t, e, Request{Recipe: first, Images: set})) == 0 {
		t.Error("the first half is float32")
	}
	if s := run.Recipe.Describe(); !strings.Contains(s, "4 evaluations at late in mixed") {
		t.Error(s)
	}
}
