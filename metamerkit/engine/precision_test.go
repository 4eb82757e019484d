package engine

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// moves is by how much of their norm a precision moves the activations of a model at a
// stage (relative L2, mean of four images).
func moves(t *testing.T, e *Engine, set *images.Set, model, stage, precision string) (moved float64) {
	t.Helper()
	var acts [2][]evaluate.Vector
	for i, precision := range []string{"", precision} {
		s, err := e.tappedModel(model, stage, precision)
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.probe(s, 4, 32, layersOf(s)...)
		if err != nil {
			t.Fatal(err)
		}
		if acts[i], _, err = e.read(context.Background(), s, p, set.Pixels); err != nil {
			t.Fatal(err)
		}
	}
	for i := range acts[0] {
		moved += evaluate.Relative(acts[0][i], acts[1][i]) / float64(len(acts[0]))
	}
	return moved
}

// Weights in bfloat16 move the activations of a network by less than 2 % (L2, mean
// of four images), and not by nothing; the run is another run.
func TestBFloat16(t *testing.T) {
	set := cifar(t, "cifar10:4")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := New(b)
		for _, stage := range metamer.Stages {
			moved := moves(t, e, set, "resnet20", stage, "bfloat16")
			t.Logf("%s: the activations moved by %.4f", stage, moved)
			if !(moved > 1e-5 && moved < 0.02) {
				t.Errorf("%s: the activations moved by %g of their norm, expected 1e-5 to .02", stage, moved)
			}
		}
		q := Request{Images: set, Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet20"), Stage: "early", Steps: 2}}
		whole, err := e.Synthesize(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Recipe.Precision = "bfloat16"
		half, err := e.Synthesize(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if half.ID == whole.ID || half.Recipe.Precision != "bfloat16" || len(half.Recipe.Models[0].SHA256) != 64 {
			t.Errorf("runs %s and %s, recipe %+v", half.ID, whole.ID, half.Recipe)
		}
		first, second := float64(whole.Trace.Loss[1][0]), float64(half.Trace.Loss[1][0])
		if first == second || math.Abs(first-second) > 0.02*first {
			t.Errorf("losses %g and %g", first, second)
		}
		q.Recipe.Precision = "float32" // the default, by its name
		if r, err := e.Resolve(q); err != nil || r.ID() != whole.ID {
			t.Errorf("float32 by its name is another recipe (%v)", err)
		}
		q.Recipe.Precision = "float16"
		if _, err := e.Resolve(q); err == nil || !strings.Contains(err.Error(), `unknown precision "float16"`) {
			t.Errorf("got %v", err)
		}
		q.Recipe.Precision, q.Recipe.Models = "bfloat16", members("vit")
		if _, err := e.Resolve(q); err == nil || !strings.Contains(err.Error(), "ONNX") {
			t.Errorf("an ONNX model in bfloat16: %v", err)
		}
	})
}

// In mixed precision the activations of networks of several kinds move by less than 5 %
// (L2, mean of four images); a run begins with nearly the losses of one in float32, ends
// lower, and is tested by the models in float32.
func TestMixed(t *testing.T) {
	set := cifar(t, "cifar10:4")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := New(b)
		if b.Kind == backend.Go {
			q := Request{Images: set, Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("plain7_48.mm_c10"), Stage: "early", Steps: 2, Precision: "mixed"}}
			if _, err := e.Synthesize(context.Background(), q); err == nil || !strings.Contains(err.Error(), "expected XLA") {
				t.Errorf("mixed precision on the pure-Go backend: %v", err)
			}
			return
		}
		for _, name := range []string{"resnet20", "convnext_64.mm_c10", "vit_4_96.mm_c10"} {
			moved := moves(t, e, set, name, "late", "mixed")
			t.Logf("%s: the activations moved by %.4f", name, moved)
			if !(moved > 1e-4 && moved < 0.05) {
				t.Errorf("%s: the activations moved by %g of their norm, expected 1e-4 to .05", name, moved)
			}
		}
		for _, optimizer := range []string{"pgd", "fast"} {
			q := Request{Images: set, Recipe: metamer.Recipe{Models: members("plain7_48.mm_c10", "vit_4_96.mm_c10"), Stage: "early", Steps: 12, Optimizer: metamer.Optimizer{Name: optimizer}}}
			whole, err := e.Synthesize(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			q.Recipe.Precision = "mixed"
			warned := false
			q.Warn = func(text string) { warned = warned || strings.Contains(text, "slower than float32") }
			mixed, err := e.Synthesize(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			if warned != b.SlowBFloat16() {
				t.Errorf("%s: warned that bfloat16 is slow: %t, expected %t", optimizer, warned, b.SlowBFloat16())
			}
			if a, b := whole.Trace.Loss[0][0], mixed.Trace.Loss[0][0]; a == b || math.Abs(float64(a-b)) > 0.05*float64(a) {
				t.Errorf("%s: first losses %g and, mixed, %g", optimizer, a, b)
			}
			for i, j := range mixed.Statistics {
				t.Logf("%s, image %d: %.4f, mixed %.4f", optimizer, j.Image, whole.Statistics[i].Loss, j.Loss)
				if !(j.Loss < 1.5*whole.Statistics[i].Loss) {
					t.Errorf("%s, image %d: tested at %g, in float32 at %g", optimizer, j.Image, j.Loss, whole.Statistics[i].Loss)
				}
			}
			if whole.Nulls[0] != mixed.Nulls[0] {
				t.Errorf("%s: the null distributions are those of other models", optimizer)
			}
		}
	})
}

// A model that cannot be had in bfloat16 is named.
func TestBFloat16OfONNX(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	path, err := filepath.Abs("../zoo/onnx/testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	layers := map[string]card.Layer{"early": {Layer: "conv1"}, "middle": {Layer: "conv1"}, "late": {Layer: "conv1"}}
	c := &card.Card{Name: "tiny", Title: "tiny", Family: "onnx", Kind: "cnn", Training: "standard", Stages: layers, Input: card.Input{Size: 9, Std: [3]float64{1, 1, 1}}}
	c.Weights.File, c.Weights.Path = "small.onnx", path
	if c.Weights.SHA256, err = weights.Sum(path); err != nil {
		t.Fatal(err)
	}
	if _, err := zoo.AddCard(c); err != nil {
		t.Fatal(err)
	}
	_, _, err = New(backendtest.Open(t, backend.Go)).model("tiny", "bfloat16")
	if err == nil || !strings.Contains(err.Error(), "model tiny with precision bfloat16") || !strings.Contains(err.Error(), "expected float32") {
		t.Error(err)
	}
}
