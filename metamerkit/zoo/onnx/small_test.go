package onnx_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// TestSmall holds layers of hand-made files, and image gradients through them,
// against onnxruntime and PyTorch (testdata/small.py): even kernels and windows,
// a kernel that serves twice, taps at Relu nodes, old operators.
func TestSmall(t *testing.T) {
	files, err := filepath.Glob("testdata/*.onnx")
	if err != nil || len(files) < 9 {
		t.Fatalf("files %q, error %v", files, err)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) { small(t, b, file) })
		}
	})
}

func small(t *testing.T, b *backend.Backend, file string) {
	f, err := weights.Open(strings.TrimSuffix(file, "onnx") + "safetensors")
	if err != nil {
		t.Fatal(err)
	}
	c := plain(9)
	net, err := onnx.Open(c, file)
	if err != nil {
		t.Fatal(err)
	}
	names, err := net.Layers(c.Input)
	if err != nil {
		t.Fatal(err)
	}
	for key := range f.Tensors {
		layer, ok := strings.CutSuffix(key, ".value")
		if !ok {
			continue
		}
		if !slices.Contains(names, layer) {
			t.Errorf("layer %s is not among the layers %q", layer, names)
		}
		o := stage.Options{PassReLU: true}
		v, _, g := run(t, b, net, c.Input, read(t, f, "images"), layer, o, along(read(t, f, layer+".direction")))
		near(t, layer+": activation", v, read(t, f, layer+".value").Float)
		near(t, layer+": gradient", g, read(t, f, layer+".gradient").Float)
	}
}

// TestNames asks for one layer by node, by tensor, and by a node that was taken
// out because it does nothing.
func TestNames(t *testing.T) {
	f, err := weights.Open("testdata/small.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	c := plain(9)
	net, err := onnx.Open(c, "testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Open(t, backend.Go)
	for name, layer := range map[string]string{"conv2": "conv2", "c2": "conv2", "i2": "conv2", "same": "conv2", "drop": "conv3", "relu1": "relu1", "r1": "relu1", "logits": "fc"} {
		d := along(read(t, f, layer+".direction"))
		v, _, _ := run(t, b, net, c.Input, read(t, f, "images"), name, stage.Options{}, d)
		near(t, name, v, read(t, f, layer+".value").Float)
	}
	// Two names of one layer and an earlier one, in one forward pass.
	_, acts, err := net.Reads(c.Input, "logits", "c2", "same", "relu1")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int{{1, 5}, {1, 8, 8, 6}, {1, 8, 8, 6}, {1, 8, 8, 6}} {
		if got := acts[i].Dimensions; !slices.Equal(got, want) {
			t.Errorf("activation %d is %v, expected %v", i, got, want)
		}
	}
	_, _, err = net.Reads(c.Input, "conv2", "conv9")
	if e, ok := err.(*stage.UnknownLayerError); !ok || !slices.Equal(e.Missing, []string{"conv9"}) || !slices.Contains(e.Known, "conv3") {
		t.Errorf("layer conv9: got %v, expected an UnknownLayerError", err)
	}
}

// TestReadsNoMore checks that an early layer needs no weights behind it, and that
// the rest of the weights is what the output needs.
func TestReadsNoMore(t *testing.T) {
	c := plain(9)
	net, err := onnx.Open(c, "testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for layer, want := range map[string][]string{
		"conv1":  {"/ONNX/b", "/ONNX/k2.hwio"},
		"logits": {"/ONNX/b", "/ONNX/fc", "/ONNX/g2.hwio", "/ONNX/k2.hwio", "/ONNX/k4.hwio"},
	} {
		got, _, err := net.Reads(c.Input, layer)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("layer %s reads %q, expected %q", layer, got, want)
		}
	}
	if len(net.Weights) != 5 {
		t.Errorf("%d weights, expected 5", len(net.Weights))
	}
}
