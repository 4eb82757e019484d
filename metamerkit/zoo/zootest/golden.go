package zootest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Tolerances of an element, as in timm's own tests, and of a whole tensor.
const (
	relative = 1e-3
	absolute = 1e-4
)

// Errors are the largest of a golden test: of an element, as a share of the
// largest element of its tensor.
type Errors struct {
	Activation float64 // of the stages and logits
	Gradient   float64 // of the loss by the pixels, at any stage
}

// Golden is a file of testdata/golden/zoo.
type Golden struct {
	Family, Arch string
	Args         string            // of the constructor, JSON
	Reference    string            // library and version
	Layers       map[string]string // stage → layer
	Card         *card.Card
	depthwise    float64 // of Weight
	f            *weights.File
}

// Read reads a golden file.
func Read(path string) (*Golden, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	m := f.Metadata
	g := &Golden{Family: m["family"], Arch: m["arch"], Args: m["args"], Reference: m["reference"], f: f}
	if err := json.Unmarshal([]byte(m["layers"]), &g.Layers); err != nil {
		return nil, fmt.Errorf("%s: layers %q: %w", path, m["layers"], err)
	}
	size, err := strconv.Atoi(m["size"])
	if err != nil {
		return nil, fmt.Errorf("%s: size: %w", path, err)
	}
	g.depthwise = 1
	if d := m["depthwise"]; d != "" {
		if g.depthwise, err = strconv.ParseFloat(d, 64); err != nil {
			return nil, fmt.Errorf("%s: depthwise: %w", path, err)
		}
	}
	g.Card = &card.Card{Name: m["arch"], Family: g.Family, Config: json.RawMessage(m["config"]), Input: card.Input{
		Size: size, Mean: [3]float64{.485, .456, .406}, Std: [3]float64{.229, .224, .225}}}
	return g, nil
}

// Test compares activations, logits, losses and image gradients with the file on
// one backend.
func (gold *Golden) Test(t *testing.T, b *backend.Backend) (e Errors) {
	t.Helper()
	net, in := Open(t, gold.Card, gold.depthwise), gold.Card.Input
	images, start := pixels(in.Size)
	layers := make([]string, 0, 4)
	for _, s := range metamer.Stages {
		layers = append(layers, gold.Layers[s])
	}
	acts, losses, gradients, err := everything(b, net, in, 2, images, start, layers)
	if err != nil {
		t.Fatal(err)
	}
	var shapes map[string][]int
	if err := json.Unmarshal([]byte(gold.f.Metadata["shapes"]), &shapes); err != nil {
		t.Fatal(err)
	}
	for i, s := range metamer.Stages {
		if !slices.Equal(shapes[s], acts[i].shape) {
			t.Errorf("%s: the activation is %v, expected %v", s, acts[i].shape, shapes[s])
			continue
		}
		e.Activation = max(e.Activation, gold.near(t, "activation."+s, acts[i].flat))
		near(t, "loss."+s, losses[i], gold.tensor(t, "loss."+s))
		e.Gradient = max(e.Gradient, gold.near(t, "gradient."+s, gradients[i]))
	}
	e.Activation = max(e.Activation, gold.near(t, "logits", acts[3].flat))
	return e
}

// Run tests the file at path on every backend that the machine has and returns the
// largest errors of all.
func Run(t *testing.T, path string) (worst Errors) {
	g, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := g.Test(t, b)
		worst.Activation, worst.Gradient = max(worst.Activation, e.Activation), max(worst.Gradient, e.Gradient)
	})
	return worst
}

func (gold *Golden) tensor(t *testing.T, name string) []float32 {
	t.Helper()
	v, ok := gold.f.Tensors[name]
	if !ok {
		t.Fatalf("%s has no tensor %s", gold.f.Path, name)
	}
	return v.Float
}

// near compares a tensor of two images with the elements that the file has of it
// and their norms.
func (gold *Golden) near(t *testing.T, name string, got []float32) float64 {
	t.Helper()
	norm := make([]float32, 2)
	for i := range norm {
		sum, half := 0.0, len(got)/2
		for _, v := range got[i*half : (i+1)*half] {
			sum += float64(v) * float64(v)
		}
		norm[i] = float32(math.Sqrt(sum))
	}
	near(t, name+".norm", norm, gold.tensor(t, name+".norm"))
	want := gold.tensor(t, name)
	if len(want) < len(got) {
		index, picked := bits("sample."+name), make([]float32, len(want))
		for i := range picked {
			picked[i] = got[index(i)%uint64(len(got))]
		}
		got = picked
	}
	return near(t, name, got, want)
}

// near holds each element to the tolerances, and the whole to the relative one. It
// returns the largest difference as a share of the largest element.
func near(t *testing.T, name string, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d elements, expected %d", name, len(got), len(want))
		return math.Inf(1)
	}
	bad, worst, largest, diff, norm := 0, 0.0, 0.0, 0.0, 0.0
	for i := range got {
		d, w := math.Abs(float64(got[i])-float64(want[i])), math.Abs(float64(want[i]))
		if !(d <= absolute+relative*w) {
			bad++
		}
		diff, norm = diff+d*d, norm+w*w
		largest = max(largest, w)
		if !(d <= worst) {
			worst = d
		}
	}
	if bad > 0 || !(diff <= relative*relative*norm) {
		t.Errorf("%s differs at %d of %d elements, by up to %.3g of %.3g; relative L2 error %.3g", name, bad, len(got), worst, largest, math.Sqrt(diff/norm))
	}
	return worst / largest
}
