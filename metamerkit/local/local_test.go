package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
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

// A model that the program defines makes metamers and judges them.
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
