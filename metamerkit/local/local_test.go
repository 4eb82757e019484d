package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// tiny is a network of one's own.
func tiny(s *model.Scope, x *Node) *Node {
	x = stage.MarkReLU(block.Conv(block.At(s, "conv"), x, 4, 3, 2, 1), "conv")
	x = stage.Mark(ReduceMean(x, 1, 2), "pool")
	return stage.Mark(block.Linear(block.At(s, "fc"), x, 3), "logits")
}

// A model that the program defines makes metamers and evaluates them.
func TestOwnModel(t *testing.T) {
	t.Setenv("METAMERS_RUNS", t.TempDir())
	t.Setenv("METAMERS_BACKEND", "go")
	path := filepath.Join(t.TempDir(), "tiny.safetensors")
	fill := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32((i*7+3)%11-5) / 10
		}
		return out
	}
	tensors := []weights.Tensor{
		{Name: "conv.weight", Shape: []int{4, 3, 3, 3}, Float: fill(108)}, {Name: "conv.bias", Shape: []int{4}, Float: fill(4)},
		{Name: "fc.weight", Shape: []int{3, 4}, Float: fill(12)}, {Name: "fc.bias", Shape: []int{3}, Float: fill(3)},
	}
	if err := weights.WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	m := Model{Name: "tiny", Forward: tiny, Weights: path, Size: 16, Classes: 3, Labels: "three", Stages: map[string]string{"early": "conv", "middle": "pool", "late": "logits"}}
	if err := Use(m); err != nil {
		t.Fatal(err)
	}
	refs, _ := figurestest.Runs()
	run, err := metamerkit.Synthesize(metamerkit.Recipe{Optimizer: metamerkit.Optimizer{Name: "pgd"}, Models: metamerkit.Set("tiny"), Stage: "early", Steps: 30}, metamerkit.Images{ImageSet: refs})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range run.Statistics {
		if !(e.Loss < 0.5) {
			t.Errorf("image %d: relative loss %v after 30 steps", e.Image, e.Loss)
		}
	}
	rows, err := metamerkit.Evaluate([]*metamerkit.Run{run}, "tiny")
	if err != nil || len(rows) == 0 {
		t.Errorf("%d rows: %v", len(rows), err)
	}
	drawn := false // again, as a cell that is run again does, with another function
	m.Forward = func(s *model.Scope, x *Node) *Node {
		drawn = true
		return tiny(s, x)
	}
	if err := Use(m); err != nil {
		t.Fatal(err)
	}
	if _, err := metamerkit.Synthesize(metamerkit.Recipe{Optimizer: metamerkit.Optimizer{Name: "pgd"}, Models: metamerkit.Set("tiny"), Stage: "early", Steps: 2}, metamerkit.Images{ImageSet: refs}); err != nil || !drawn {
		t.Errorf("the function of a model that was used again was drawn: %v, %v", drawn, err)
	}
	// The same graph finds the run again, another one does not.
	first := run.ID
	again := func() string {
		t.Helper()
		if err := Use(m); err != nil {
			t.Fatal(err)
		}
		run, err := metamerkit.Synthesize(metamerkit.Recipe{Optimizer: metamerkit.Optimizer{Name: "pgd"}, Models: metamerkit.Set("tiny"), Stage: "early", Steps: 30}, metamerkit.Images{ImageSet: refs})
		if err != nil {
			t.Fatal(err)
		}
		return run.ID
	}
	m.Forward = tiny
	if id := again(); id != first {
		t.Errorf("the same model again has run %s, want %s", id, first)
	}
	m.Forward = func(s *model.Scope, x *Node) *Node { return MulScalar(tiny(s, x), 2) }
	if id := again(); id == first {
		t.Error("a model that computes something else has the run of the former one")
	}
	m.Name = "resnet20"
	if err := Use(m); err == nil || !strings.Contains(err.Error(), "resnet20") {
		t.Errorf("a name of the project's: %v", err)
	}
	if err := Use(Model{Name: "x"}); err == nil {
		t.Error("a model without anything is accepted")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// A gradient that is not finite ends a run with an error that names the image. The store
// keeps what it had and nothing of that run.
func TestNotFinite(t *testing.T) {
	store := t.TempDir()
	t.Setenv("METAMERS_RUNS", store)
	t.Setenv("METAMERS_BACKEND", "go")
	path := filepath.Join(t.TempDir(), "root.safetensors")
	if err := weights.WriteSafetensors(path, []weights.Tensor{{Name: "scale", Shape: []int{3}, Float: []float32{1, 1, 1}}}, nil); err != nil {
		t.Fatal(err)
	}
	// The gradient of √x is NaN at the pixels that steps towards a black image clamp to 0.
	root := func(s *model.Scope, x *Node) *Node {
		x = Mul(x, Reshape(block.Weight(s, x, "scale", 3), 1, 1, 1, 3))
		return stage.Mark(Sqrt(stage.Mark(x, "pixels")), "root")
	}
	err := Use(Model{Name: "root", Forward: root, Weights: path, Size: 8, Stages: map[string]string{"early": "pixels", "middle": "root", "late": "root"}})
	if err != nil {
		t.Fatal(err)
	}
	refs := images.Set{Name: "two", Size: 8, Pixels: make([]float32, 2*8*8*3), Names: []string{"grey", "black"}, Labels: []int{-1, -1}}
	for i := range refs.Pixels[:8*8*3] {
		refs.Pixels[i] = 0.5
	}
	synthesize := func(stage string) error {
		_, err := metamerkit.Synthesize(metamerkit.Recipe{Models: metamerkit.Set("root"), Stage: stage, Steps: 100, Optimizer: metamerkit.Optimizer{Name: "pgd", StepSize: 2}}, metamerkit.Images{ImageSet: &refs})
		return err
	}
	if err := synthesize("early"); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadDir(store)
	err = synthesize("late")
	for _, part := range []string{"the gradient of the loss is not finite", "model root", "stage late", "image 1 (black)", "step "} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, expected %q in it", err, part)
		}
	}
	t.Log(err)
	after, _ := os.ReadDir(store)
	for _, e := range after {
		if !strings.HasPrefix(e.Name(), ".") && !slices.ContainsFunc(before, func(b os.DirEntry) bool { return b.Name() == e.Name() }) {
			t.Errorf("the store has %s", e.Name())
		}
	}
	if len(before) == 0 || len(after) < len(before) {
		t.Errorf("the store had %v, has %v", before, after)
	}
}
