package engine

import (
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The rule of fast, what it makes of the evaluations it is given, and that the recipe
// names the method, so that asking for that method is the same run.
func TestFastChooses(t *testing.T) {
	set := cifar(t, "cifar10:2")
	large, err := images.Open([]string{"photos:2"}, images.Options{Size: 224})
	if err != nil {
		t.Fatal(err)
	}
	e := New(backendtest.Open(t, backend.Go))
	for _, c := range []struct {
		models, stage, want string
		steps               int
	}{
		{"squeezenet vit_tiny_patch16_224", "late", "fourier", 100}, // images of 224²
		{"resnet20", "late", "lbfgs", 100}, {"resnet2b resnet4b", "middle", "lbfgs", 50},
		{"vit_tiny_patch16_224", "middle", "lbfgs", 100}, {"vit_tiny_patch16_224", "late", "lbfgs", 100},
		{"vit_tiny_patch16_224", "blocks.11", "fourier", 100}, {"vit_tiny_patch16_224", "norm", "fourier", 100},
		{"vit_tiny_patch16_224", "pre_logits", "lbfgs", 100},
	} {
		q := Request{Images: set, Recipe: metamer.Recipe{Models: members(strings.Fields(c.models)...), Stage: c.stage, Steps: 100, Optimizer: metamer.Optimizer{Name: "fast"}}}
		if strings.HasPrefix(c.models, "squeezenet") {
			q.Images = large
		}
		r, err := e.Resolve(q)
		if err != nil {
			t.Fatal(err)
		}
		if r.Optimizer.Name != c.want || r.Steps != c.steps {
			t.Errorf("%s at %s: %s with %d steps, expected %s with %d", c.models, c.stage, r.Optimizer.Name, r.Steps, c.want, c.steps)
		}
		q.Recipe.Steps, q.Recipe.Optimizer.Name = c.steps, c.want
		if named, err := e.Resolve(q); err != nil || named.ID() != r.ID() {
			t.Errorf("%s at %s: fast and %s are other runs (%v)", c.models, c.stage, c.want, err)
		}
	}
	for name, r := range map[string]metamer.Recipe{
		"fast with a schedule":     {Optimizer: metamer.Optimizer{Name: "fast"}, Schedule: metamer.Schedule{Kind: "average"}},
		"fast with a step size":    {Optimizer: metamer.Optimizer{Name: "fast", StepSize: 3}},
		"lbfgs with one at a time": {Optimizer: metamer.Optimizer{Name: "lbfgs"}, Schedule: metamer.Schedule{Kind: "switch"}},
		"metric":                   {Optimizer: metamer.Optimizer{Name: "lbfgs", Metric: "f"}},
		"memory":                   {Optimizer: metamer.Optimizer{Name: "lbfgs", Memory: -1}},
	} {
		r.Models, r.Stage = members("resnet2b"), "late"
		if _, err := e.Resolve(Request{Recipe: r, Images: set}); err == nil {
			t.Errorf("%s is accepted", name)
		} else {
			t.Log(err)
		}
	}
}
