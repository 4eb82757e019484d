package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// --classes sizes the classifier and --config changes the architecture's other settings; names
// of other classes are dropped; a family without stages gets those that are proposed.
func TestModelsAddClasses(t *testing.T) {
	add := adder(t)
	write := func(name, config string) string {
		path := filepath.Join(t.TempDir(), name+".safetensors")
		if err := weights.WriteSafetensors(path, stateOf(t, "resnet2b", config, "", .1), nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base, err := zoo.Lookup("resnet2b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		add                  modelsAddCmd
		classes              int
		labels, early, three string
	}{
		{modelsAddCmd{Arch: "resnet2b", Classes: 7, Weights: write("seven", `{"classes":7}`)}, 7, "none", "conv1", "linear1"},
		{modelsAddCmd{Arch: "resnet2b", Config: `{"classes":7,"stem":4}`, Weights: write("narrow", `{"classes":7,"stem":4}`)}, 7, "none", "conv1", "linear1"},
		{modelsAddCmd{Arch: "resnet2b", Config: `{"stem":4}`, Weights: write("ten", `{"stem":4}`)}, 10, "cifar10", "conv1", "linear1"},
		{modelsAddCmd{Arch: "resnet2b", Classes: 7, Labels: "imagenet1k", Weights: write("named", `{"classes":7}`)}, 7, "none", "conv1", "linear1"},
		{modelsAddCmd{Arch: base.Family, Config: string(base.Config), Size: 32, Weights: write("family", "")}, 10, "none", "conv1", "linear1"},
	} {
		name := strings.TrimSuffix(filepath.Base(c.add.Weights), ".safetensors")
		if err := add(c.add); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := zoo.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Classes != c.classes || m.Labels != c.labels || m.Stages["early"].Layer != c.early || m.Stages["late"].Layer != c.three {
			t.Errorf("%s: %d classes, labels %s, stages %v", name, m.Classes, m.Labels, m.Stages)
		}
	}
}

// A network without a classifier is added with --classes 0, and ends in its embedding. A
// classifier that the file has is left out then; where it lacks one, the error names the flag.
func TestModelsAddHeadless(t *testing.T) {
	add := adder(t)
	path := filepath.Join(t.TempDir(), "features.safetensors")
	all := stateOf(t, "resnet20", "", "", .1)
	whole := filepath.Join(t.TempDir(), "whole.safetensors")
	if err := weights.WriteSafetensors(whole, all, nil); err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(t weights.Tensor) bool { return strings.HasPrefix(t.Name, "linear.") })
	if err := weights.WriteSafetensors(path, all, nil); err != nil {
		t.Fatal(err)
	}
	err := add(modelsAddCmd{Arch: "resnet20", Weights: path})
	if err == nil || !strings.Contains(err.Error(), "the file has no classifier: give --classes 0") {
		t.Errorf("without --classes 0: %v", err)
	}
	for _, file := range []string{path, whole} {
		c, err := zoo.Lookup("resnet20")
		if err != nil {
			t.Fatal(err)
		}
		m := *c
		m.Name, m.Classes, m.Weights = "features", 0, card.Weights{File: "features.safetensors"}
		if m.Config, err = zoo.MergeConfig(c.Config, []byte(`{"classes":0}`)); err != nil {
			t.Fatal(err)
		}
		net, err := zoo.Open(&m, file)
		if err != nil {
			t.Fatal(err)
		}
		names, err := net.Layers(m.Input)
		if err != nil || names[len(names)-1] != "embedding" || slices.Contains(names, "logits") {
			t.Errorf("layers %q, error %v", names, err)
		}
		note := strings.Join(net.Notes, "; ")
		if left := strings.Contains(note, "2 tensors of the classifier left out: linear.bias, linear.weight"); left != (file == whole) {
			t.Errorf("%s: notes %q", filepath.Base(file), note)
		}
	}
}

// Weights that make activations infinite or constant are refused, and classify counts no
// image as right whose logits are NaN.
func TestNotFinite(t *testing.T) {
	add := adder(t)
	for size, want := range map[float64]string{3e37: "activations of ", 0: "are 0: the layer tells nothing about images"} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := weights.WriteSafetensors(path, stateOf(t, "resnet2b", "", "", size), nil); err != nil {
			t.Fatal(err)
		}
		if err := add(modelsAddCmd{Arch: "resnet2b", Weights: path, Name: "x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("weights up to %g: %v, expected %q", size, err, want)
		}
		if size == 0 {
			continue
		}
		m, err := archCard("resnet2b")
		if err != nil {
			t.Fatal(err)
		}
		sum, err := weights.Sum(path)
		if err != nil {
			t.Fatal(err)
		}
		m.Name, m.Weights.File, m.Weights.Path, m.Weights.SHA256 = "huge", "w.safetensors", path, sum
		if err := zoo.Introduce(m); err != nil {
			t.Fatal(err)
		}
		defer zoo.Withdraw("huge")
		e, err := (&globals{Backend: "go"}).engine()
		if err != nil {
			t.Fatal(err)
		}
		classes := map[string]int{}
		r, err := (&classifyCmd{Images: []string{"photos:4"}, Top: 5, Batch: 4}).one(t.Context(), &globals{Quiet: true}, e, m, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range r.Images {
			classes[n] = 0
		}
		if r, err = (&classifyCmd{Images: []string{"photos:4"}, Top: 5, Batch: 4}).one(t.Context(), &globals{Quiet: true}, e, m, nil, classes); err != nil {
			t.Fatal(err)
		}
		for i, g := range r.Guesses {
			if len(g) > 0 {
				t.Errorf("%s: guesses %v", r.Images[i], g)
			}
		}
		if r.hits != [2]int{} || r.Accuracy["top-1"].Of != 4 {
			t.Errorf("accuracy %+v", r.Accuracy)
		}
		if err := printClassified([]classified{r}); err != nil {
			t.Error(err)
		}
	}
}

// An ONNX file whose output has a value for each pixel is no classifier.
func TestModelsAddDense(t *testing.T) {
	dim := func(n int64) *protos.TensorShapeProto_Dimension {
		return &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: n}}
	}
	image := &protos.ValueInfoProto{Name: "x", Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{
		ElemType: int32(protos.TensorProto_FLOAT), Shape: &protos.TensorShapeProto{Dim: []*protos.TensorShapeProto_Dimension{dim(1), dim(3), dim(8), dim(8)}},
	}}}}
	data, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, OpsetImport: []*protos.OperatorSetIdProto{{Version: 18}}, Graph: &protos.GraphProto{
		Name: "dense", Input: []*protos.ValueInfoProto{image}, Output: []*protos.ValueInfoProto{{Name: "y"}},
		Node: []*protos.NodeProto{{OpType: "Relu", Name: "relu", Input: []string{"x"}, Output: []string{"y"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dense.onnx")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	err = adder(t)(modelsAddCmd{ONNX: path, Size: 8})
	if err == nil || !strings.Contains(err.Error(), "dense.onnx: the output is [8 8 3] for each image, expected one number for each class") {
		t.Error(err)
	}
}

// A variance below 0 is refused by name: activations would be NaN.
func TestNegativeVariance(t *testing.T) {
	all := stateOf(t, "resnet20", "", "", .1)
	i := slices.IndexFunc(all, func(t weights.Tensor) bool { return t.Name == "layer1.0.bn1.running_var" })
	all[i].Float[2] = -.5
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.WriteSafetensors(path, all, nil); err != nil {
		t.Fatal(err)
	}
	err := adder(t)(modelsAddCmd{Arch: "resnet20", Weights: path, Name: "x"})
	if err == nil || !strings.Contains(err.Error(), "tensor layer1.0.bn1.running_var holds -0.5 (1 of its 16 values are below 0") {
		t.Error(err)
	}
}

// What PyTorch computed is held against the model: equal is said, and what differs is refused.
func TestModelsAddCheck(t *testing.T) {
	add := adder(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	stateDict(t, "resnet2b", path, "")
	if err := add(modelsAddCmd{Arch: "resnet2b", Weights: path, Name: "plain"}); err != nil {
		t.Fatal(err)
	}
	// Two images [N,3,32,32] and what the model makes of them, in PyTorch's order of axes.
	const n, side = 2, 32
	pixels := make([]float32, n*3*side*side)
	for i := range pixels {
		pixels[i] = float32(.5 + .5*math.Sin(float64(i)))
	}
	x := weights.Tensor{Name: "images", Shape: []int{n, 3, side, side}, Float: pixels}
	set, err := imagesOf(&x, side)
	if err != nil {
		t.Fatal(err)
	}
	e, err := (&globals{Backend: "go"}).engine()
	if err != nil {
		t.Fatal(err)
	}
	acts, shapes, err := e.Activations("plain", []string{"layer1", "late", "logits"}, set, n)
	if err != nil {
		t.Fatal(err)
	}
	h, w, c := shapes[0][0], shapes[0][1], shapes[0][2]
	first := make([]float32, n*h*w*c)
	for i, a := range acts[0] {
		for p := range h * w {
			for k := range c {
				first[(i*c+k)*h*w+p] = a[p*c+k]
			}
		}
	}
	good := []weights.Tensor{x, {Name: "layer1", Shape: []int{n, c, h, w}, Float: first},
		{Name: "late", Shape: append([]int{n}, shapes[1]...), Float: slices.Concat(acts[1]...)},
		{Name: "logits", Shape: []int{n, 10, 1, 1}, Float: slices.Concat(acts[2]...)}}
	i := 0
	check := func(arrays ...weights.Tensor) error {
		i++
		file := filepath.Join(dir, "check.npz")
		if err := weights.WriteNPZ(file, arrays); err != nil {
			t.Fatal(err)
		}
		return add(modelsAddCmd{Arch: "resnet2b", Weights: path, Name: strings.Repeat("x", i), Check: file})
	}
	if err := check(good...); err != nil {
		t.Errorf("the model's own activations: %v", err)
	}
	other := slices.Clone(good[3].Float)
	other[3] += .01 * other[3]
	bright := slices.Clone(pixels)
	bright[0] = 1.5
	for want, arrays := range map[string][]weights.Tensor{
		"logits differs by":            {x, good[1], {Name: "logits", Shape: []int{n, 10}, Float: other}},
		"layer1 differs by":            {x, {Name: "layer1", Shape: []int{n, h, w, c}, Float: first}},
		"no entry images":              good[1:],
		"images but no activations":    {x},
		`unknown layer "layer7"`:       {x, {Name: "layer7", Shape: []int{n, 1}, Float: []float32{1, 2}}},
		"logits has the shape [2 5]":   {x, {Name: "logits", Shape: []int{n, 5}, Float: other[:10]}},
		"expected float32 of 2 images": {x, {Name: "logits", Shape: []int{1, 20}, Float: other}},
		"images contain the value 1.5": {{Name: "images", Shape: x.Shape, Float: bright}, good[3]},
		"the model reads 32×32 pixels": {{Name: "images", Shape: []int{n, 3, 16, 64}, Float: pixels}, good[3]},
		"logits differs by NaN":        {x, {Name: "logits", Shape: []int{n, 10}, Float: append([]float32{float32(math.NaN())}, other[1:]...)}},
	} {
		if err := check(arrays...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	if err := (modelsCheckCmd{Names: []string{"plain"}, With: filepath.Join(dir, "check.npz")}).Run(t.Context(), &globals{Backend: "go"}); err == nil {
		t.Error("models check --with found no difference in a file that differs")
	}
}

// Networks as their users have them agree with what PyTorch computed (testdata/scripts/own_model.py):
// a fine-tuned ResNet in a checkpoint of training code, and one with a definition of its own,
// from both of PyTorch's exporters.
func TestOwnModels(t *testing.T) {
	add := adder(t)
	own := func(name string) string { return filepath.Join("testdata", "own", name) }
	for _, c := range []modelsAddCmd{
		{Arch: "resnet18", Config: `{"layers":[1,1,1,1],"channels":[4,6,8,10]}`, Classes: 10, Size: 48, Weights: own("narrow.pt"), Check: own("narrow.npz")},
		{ONNX: own("net.onnx"), Size: 32, Check: own("net.npz")},
		{ONNX: own("named.onnx"), Size: 32, Check: own("named.npz"), Stages: map[string]string{"middle": "/block2/Add"}},
	} {
		path := c.ONNX + c.Weights
		if err := add(c); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		m, err := zoo.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if m.Classes != 10 || m.Labels != "none" {
			t.Errorf("%s: %d classes of %s", name, m.Classes, m.Labels)
		}
		if c.ONNX != "" {
			for want, change := range map[string]func(c *modelsAddCmd){
				"(--size 32)":    func(c *modelsAddCmd) { c.Size = 48 },
				"(--classes)":    func(c *modelsAddCmd) { c.Classes = 7 },
				"lists them all": func(c *modelsAddCmd) { c.Stages = map[string]string{"late": "/nowhere"} },
			} {
				other := c
				other.Name = "other"
				change(&other)
				if err := add(other); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, expected %q", path, err, want)
				}
			}
		}
		c.Mean, c.Name = []float64{.5, .5, .5}, "other"
		if err := add(c); err == nil || !strings.Contains(err.Error(), "differs by") || !strings.Contains(err.Error(), "--mean") {
			t.Errorf("%s with another mean: %v", name, err)
		}
	}
}
