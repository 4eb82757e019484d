package onnx_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	. "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// TestNetworks opens small networks, as users export them, and compares logits with
// onnxruntime and the image gradient, along four directions, with differences in float64
// (testdata/scripts/onnx_cases.py). Large files lie in ../shared/cases/onnx.
func TestNetworks(t *testing.T) {
	list := cases(t, golden+"networks.tar.gz")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) { network(t, b, c) })
		}
	})
}

func network(t *testing.T, b *backend.Backend, c *packed) {
	if c.model == nil {
		data, err := os.ReadFile("../../../../shared/cases/onnx/" + c.name + ".onnx")
		if err != nil {
			t.Skipf("the model is not in the repository: %v", err)
		}
		c.model = data
	}
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := os.WriteFile(path, c.model, 0o600); err != nil {
		t.Fatal(err)
	}
	images := c.tensors["in/image"]
	card := plain(images.dims[2])
	card.Classes = c.tensors["out/logits"].dims[1]
	net, err := Open(card, path)
	if err != nil {
		t.Fatal(err)
	}
	pixels := lastAxis(images)
	x := &weights.Tensor{Shape: pixels.dims, Float: pixels.float32s()}
	cot := c.tensors["cot/logits"]
	v, _, g := run(t, b, net, card.Input, x, "logits", stage.Options{}, along(&weights.Tensor{Shape: cot.dims, Float: cot.float32s()}))
	want := c.tensors["out/logits"]
	if d := differs(value{'f', want.dims, widen(v)}, want, 1e-4); d != "" {
		t.Errorf("the logits %s", d)
	}
	per := len(g) / images.dims[0]
	for k := range 4 {
		d := lastAxis(c.tensors["direction/"+string(rune('0'+k))])
		got := value{kind: 'f', dims: []int{images.dims[0]}}
		for part := range slices.Chunk(g, per) {
			slope, offset := 0., len(got.flat)*per
			for i, x := range part {
				slope += float64(x) * d.flat[offset+i]
			}
			got.flat = append(got.flat, slope)
		}
		want := c.tensors["slope/"+string(rune('0'+k))]
		for i, w := range want.flat {
			if off := math.Abs(got.flat[i] - w); !(off <= 1e-3*math.Abs(w)+1e-5*total(g)) {
				t.Errorf("image %d: the gradient gives %g along direction %d, expected %g", i, got.flat[i], k, w)
			}
		}
	}
}

// lastAxis moves the channels of [N,C,H,W] to the end.
func lastAxis(v value) value {
	n, c, area := v.dims[0], v.dims[1], v.dims[2]*v.dims[3]
	out := value{kind: v.kind, dims: []int{n, v.dims[2], v.dims[3], c}, flat: make([]float64, len(v.flat))}
	for i := range n {
		for j := range c {
			for k := range area {
				out.flat[(i*area+k)*c+j] = v.flat[(i*c+j)*area+k]
			}
		}
	}
	return out
}

// total is the sum of absolute values, by which the rounding of a slope is measured.
func total(g []float32) (sum float64) {
	for _, x := range g {
		sum += math.Abs(float64(x))
	}
	return sum
}
