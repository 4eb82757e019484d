package engine

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// A model without a classifier says so; with class embeddings its logits are scaled
// cosines, whatever the embeddings' lengths.
func TestZeroShot(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	base, err := zoo.Lookup("vit_tiny_patch16_224")
	if err != nil {
		t.Fatal(err)
	}
	c := *base
	c.Name, c.Aliases, c.Classes, c.Training, c.Input.Size = "tower", nil, 0, "language-image", 32
	c.Config = json.RawMessage(`{"patch":16,"width":8,"depth":3,"heads":2,"classes":0}`)
	forward, err := zoo.Build(&c)
	if err != nil {
		t.Fatal(err)
	}
	want, err := zoo.Variables(&c, forward)
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Tensor
	for k, path := range slices.Sorted(maps.Keys(want)) {
		d := slices.Clone(want[path].Dimensions)
		name := strings.ReplaceAll(path[1:], "/", ".")
		switch {
		case len(d) == 4:
			d = []int{d[3], d[2], d[0], d[1]}
		case len(d) == 2 && strings.HasSuffix(name, "weight"):
			slices.Reverse(d)
		}
		v := weights.Tensor{Name: name, Shape: d, Float: make([]float32, want[path].Size())}
		for i := range v.Float {
			v.Float[i] = float32(math.Sin(float64(i*(k+1)) + 1))
		}
		all = append(all, v)
	}
	c.Weights.Path = filepath.Join(t.TempDir(), "tower.safetensors")
	if err := weights.WriteSafetensors(c.Weights.Path, all, nil); err != nil {
		t.Fatal(err)
	}
	if c.Weights.SHA256, err = weights.Sum(c.Weights.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := zoo.AddCard(&c); err != nil {
		t.Fatal(err)
	}
	set := &images.Set{Name: "two", Size: 32, Names: []string{"a", "b"}, Labels: []int{-1, -1}, Pixels: make([]float32, 2*32*32*3)}
	for i := range set.Pixels {
		set.Pixels[i] = float32(i%251) / 250
	}
	e := New(backendtest.Open(t, backend.Go))
	var none *NoClassifierError
	if _, err := e.Logits("tower", set, 2, nil); !errors.As(err, &none) || !strings.Contains(err.Error(), "zero-shot") {
		t.Errorf("without classes: %v", err)
	}
	if _, err := e.Logits("vit_tiny_patch16_224", set, 2, &ZeroShot{}); err == nil || !strings.Contains(err.Error(), "has a classifier of 1000 classes") {
		t.Errorf("classes for a classifier: %v", err)
	}
	embedding, _, err := e.Activations("tower", []string{"embedding"}, set, 2)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.Clone(embedding[0][0])
	for i := range first {
		first[i] *= 7
	}
	axis := make([]float32, len(first))
	axis[0] = -2
	logits, err := e.Logits("tower", set, 2, &ZeroShot{Classes: [][]float32{first, axis}, Scale: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range logits {
		cos := 0.0
		for j, v := range embedding[0][i] {
			cos += float64(v) * float64(first[j]) / 7
		}
		if math.Abs(float64(l[0])-10*cos) > 1e-4 || math.Abs(float64(l[1])+10*float64(embedding[0][i][0])) > 1e-4 {
			t.Errorf("image %d: logits %v, expected %v and %v", i, l, 10*cos, -10*embedding[0][i][0])
		}
	}
	if _, err := e.Logits("tower", set, 2, &ZeroShot{Classes: [][]float32{{1, 2}}}); err == nil || !strings.Contains(err.Error(), "embeddings of 2 values") {
		t.Errorf("embeddings of another size: %v", err)
	}
}
