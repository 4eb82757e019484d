package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// altered writes resnet2b's weights, changed, as safetensors.
func altered(t *testing.T, change func(name string, w *weights.Tensor) (keep bool)) string {
	t.Helper()
	f, err := weights.Open(filepath.Join(data(t), "weights", "resnet2b.pth"))
	if err != nil {
		t.Fatal(err)
	}
	var out []weights.Tensor
	for name, w := range f.Tensors {
		w.Name = name
		if change(name, w) {
			out = append(out, *w)
		}
	}
	path := filepath.Join(t.TempDir(), "altered.safetensors")
	if err := weights.WriteSafetensors(path, out, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that is not the card's is refused, with both sums; nothing of it is used.
func TestWrongSum(t *testing.T) {
	needsData(t)
	raw, err := os.ReadFile(filepath.Join(data(t), "weights", "resnet2b.pth"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "weights"), 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "weights", "resnet2b.pth")
	changed := append([]byte{}, raw...)
	changed[len(raw)/2] ^= 1
	for name, content := range map[string][]byte{"one bit": changed, "truncated": raw[:len(raw)/2], "empty": nil} {
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := try(t, "METAMERS_DATA="+dir+":"+data(t), "--backend", "go", "synth", "--models", "resnet2b", "--stage", "late", "--images", "cifar10:1", "--store", t.TempDir())
		if status != 1 || !strings.Contains(stderr, path) || !strings.Contains(stderr, "SHA-256") || strings.Contains(stderr, "goroutine ") {
			t.Errorf("%s: status %d: %s", name, status, stderr)
		}
		t.Logf("%s: %s", name, strings.TrimSpace(stderr))
	}
}

// Every tensor that is missing, misshapen or too many is named at once.
func TestMisfittingWeights(t *testing.T) {
	needsData(t)
	var missing, misshapen []string
	path := altered(t, func(name string, w *weights.Tensor) bool {
		switch {
		case strings.HasPrefix(name, "linear1"):
			missing = append(missing, name)
			return false
		case strings.HasSuffix(name, "bias"):
			misshapen = append(misshapen, name)
			w.Shape = []int{len(w.Float), 1}
		}
		return true
	})
	cache := "METAMERS_CACHE=" + t.TempDir()
	_, stderr, status := try(t, cache, "models", "add", "--arch", "resnet2b", "--weights", path, "--name", "broken")
	if status != 1 || len(missing) == 0 || len(misshapen) == 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, n := range missing {
		if !strings.Contains(stderr, n+" is missing") {
			t.Errorf("does not say that %s is missing: %s", n, stderr)
		}
	}
	for _, n := range misshapen {
		if !strings.Contains(stderr, "tensor "+n+" is ") {
			t.Errorf("does not say that the shape of %s is wrong: %s", n, stderr)
		}
	}
	if stdout, _, _ := try(t, cache, "models"); strings.Contains(stdout, "broken") {
		t.Error("the model was added all the same")
	}
}

// A NaN is an error that names step, image and model, and no run is stored.
func TestNaN(t *testing.T) {
	needsData(t)
	// models add refuses NaN, and weights with which the activations are not finite. So a
	// sound model is added, and its file and the sum on its card are then changed.
	path := altered(t, func(string, *weights.Tensor) bool { return true })
	broken := altered(t, func(name string, w *weights.Tensor) bool {
		if name == "layer1.0.conv1.weight" {
			w.Float[0] = math.MaxFloat32
		}
		return true
	})
	folder := t.TempDir()
	cache := "METAMERS_CACHE=" + folder
	if _, stderr, status := try(t, cache, "models", "add", "--arch", "resnet2b", "--weights", path, "--name", "broken"); status != 0 {
		t.Fatal(stderr)
	}
	card := filepath.Join(folder, "cards", "broken.json")
	text, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, p := range []string{path, broken} {
		sum, err := weights.Sum(p)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	if err := errors.Join(os.Rename(broken, path), os.WriteFile(card, bytes.Replace(text, []byte(sums[0]), []byte(sums[1]), 1), 0o666)); err != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	stdout, stderr, status := try(t, cache, "--backend", "go", "synth", "--models", "resnet4b,broken", "--stage", "late", "--images", "cifar10:2", "--optimizer", "pgd", "--steps", "20", "--schedule", "switch:4", "--store", store, "--json")
	for _, want := range []string{"NaN", "step 4", "image 0", "broken", "not stored"} {
		if status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("status %d, does not say %q: %q, %q", status, want, stderr, stdout)
		}
	}
	if listed, _, _ := try(t, "runs", "--json", "--store", store); strings.TrimSpace(listed) != "[]" {
		t.Errorf("a run is stored: %s", listed)
	}
}

// A folder without space is an error that names it, and nothing is left that looks
// like a run.
func TestNoSpace(t *testing.T) {
	needsData(t)
	dir := t.TempDir()
	small(t, dir, 64<<10)
	for i, args := range [][]string{
		{"--backend", "go", "synth", "--models", "resnet2b", "--stage", "late", "--images", "cifar10:8", "--steps", "1", "--store", filepath.Join(dir, "runs")},
		{"--backend", "go", "activations", "--model", "resnet2b", "--stage", "early", "--images", "cifar10:8", "--out", filepath.Join(dir, "x.npz")},
	} {
		_, stderr, status := try(t, args...)
		if status != 1 || !strings.Contains(stderr, "no space left on device") || !strings.Contains(stderr, dir) {
			t.Errorf("%d: status %d: %s", i, status, stderr)
		}
	}
	stdout, _, _ := try(t, "runs", "--json", "--store", filepath.Join(dir, "runs"))
	if strings.TrimSpace(stdout) != "[]" {
		t.Errorf("looks like a run: %s", stdout)
	}
	if _, err := os.Stat(filepath.Join(dir, "x.npz")); err == nil {
		t.Error("half a file is left")
	}
}
