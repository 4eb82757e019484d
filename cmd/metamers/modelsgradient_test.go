package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
)

// warned is what a command writes to standard error.
func warned(t *testing.T, f func() error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = to
	defer func() { os.Stderr = old; to.Close() }()
	if err := f(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBadGradients(t *testing.T) {
	d := &engine.Gradients{Gradient: make([]float32, 4*12)}
	d.Gradient[12+5], d.Gradient[3*12] = float32(math.NaN()), float32(math.Inf(1))
	if bad := badGradients(d, 2); len(bad) != 2 || bad[0] != 1 || bad[1] != 3 {
		t.Errorf("images %v have bad gradients, expected 1 and 3", bad)
	}
}

// Of a network whose gradient is NaN, models add and activations say so.
func TestNaNGradient(t *testing.T) {
	add := adder(t)
	text := warned(t, func() error {
		return add(modelsAddCmd{ONNX: "testdata/distances.onnx", Name: "root", Size: 16, Stages: map[string]string{"late": "s"}})
	})
	if want := "root: the gradient of the layer s by the pixels is NaN or infinite"; !strings.Contains(text, want) {
		t.Errorf("models add warns %q, expected %q", text, want)
	}
	out := filepath.Join(t.TempDir(), "g.npz")
	text = warned(t, func() error {
		return (&activationsCmd{Model: "root", Stage: []string{"late"}, Images: imageSpec{"photos:2"}, Size: 16, Filter: "bicubic", Out: out, Batch: 2, Gradients: "noise", Loss: "relative-l2"}).Run(t.Context(), &globals{Quiet: true, Backend: "go"})
	})
	if want := "gradient of model root at late is NaN or infinite for 2 of 2 images"; !strings.Contains(text, want) {
		t.Errorf("activations warns %q, expected %q", text, want)
	}
}
