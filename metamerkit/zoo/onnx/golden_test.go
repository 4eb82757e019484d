package onnx_test

import (
	"math"
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// vit opens the robust ViT, whose file is not in the repository, or skips.
func vit(t *testing.T) (*card.Card, *zoo.Net) {
	t.Helper()
	c, err := zoo.Lookup("vit_pgd_2_3_16")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../../shared/data")
	}
	path, err := paths.Find("weights/" + c.Weights.File)
	if err != nil {
		pathstest.Missing(t, "no weights of %s here: %v", c.Name, err)
	}
	net, err := zoo.Open(c, path)
	if err != nil {
		t.Fatal(err)
	}
	return c, net
}

// relative is the relative L2 loss per image against an activation of the ViT.
func relative(target *weights.Tensor) func(a *Node) *Node {
	return func(a *Node) *Node {
		n := a.Shape().Dim(0)
		want := ConstTensor(a.Graph(), tensors.FromFlatDataAndDimensions(target.Float, target.Shape...))
		norm := func(x *Node) *Node { return Sqrt(ReduceSum(Square(Reshape(x, n, -1)), 1)) }
		return Div(norm(Sub(a, want)), norm(want))
	}
}

// TestGolden holds activations, logits, losses and image gradients of the ViT
// against PyTorch (testdata/scripts/golden.py). Its patch embedding is a
// convolution with a 16×16 kernel.
func TestGolden(t *testing.T) {
	f, err := weights.Open("../../../testdata/golden/vit_pgd_2_3_16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		c, net := vit(t)
		for st, layer := range c.Stages {
			target := read(t, f, "activation."+st)
			v, _, _ := run(t, b, net, c.Input, read(t, f, "images"), layer.Layer, stage.Options{}, relative(target))
			near(t, st+": activation", v, target.Float)
			_, loss, g := run(t, b, net, c.Input, read(t, f, "start"), layer.Layer, stage.Options{PassReLU: true}, relative(target))
			near(t, st+": loss", loss, read(t, f, "loss."+st).Float)
			near(t, st+": gradient", g, read(t, f, "gradient."+st).Float)
			if d := distance(g, read(t, f, "gradient."+st).Float); !(d < 1e-3) {
				t.Errorf("%s: the gradient is %g of its length off", st, d)
			}
		}
		v, _, _ := run(t, b, net, c.Input, read(t, f, "images"), "logits", stage.Options{}, along(read(t, f, "logits")))
		near(t, "logits", v, read(t, f, "logits").Float)
	})
}

// distance is ‖got−want‖/‖want‖.
func distance(got, want []float32) float64 {
	d, w := 0.0, 0.0
	for i := range want {
		d += math.Pow(float64(got[i]-want[i]), 2)
		w += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(d / w)
}

// TestDifferences holds the image gradient of each stage's loss against central
// differences along random directions.
func TestDifferences(t *testing.T) {
	f, err := weights.Open("../../../testdata/golden/vit_pgd_2_3_16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		c, net := vit(t)
		start, direction := read(t, f, "start"), read(t, f, "images")
		for st, layer := range c.Stages {
			loss := func(step float32) []float32 {
				x := *start
				x.Float = make([]float32, len(start.Float))
				for i := range x.Float {
					x.Float[i] = start.Float[i] + step*(direction.Float[i]-.5)
				}
				_, l, _ := run(t, b, net, c.Input, &x, layer.Layer, stage.Options{}, relative(read(t, f, "activation."+st)))
				return l
			}
			_, _, g := run(t, b, net, c.Input, start, layer.Layer, stage.Options{}, relative(read(t, f, "activation."+st)))
			const h = 1e-3
			up, down := loss(h), loss(-h)
			per := len(g) / len(up)
			for i := range up {
				slope := 0.0
				for j := i * per; j < (i+1)*per; j++ {
					slope += float64(g[j]) * float64(direction.Float[j]-.5)
				}
				diff := float64(up[i]-down[i]) / (2 * h)
				if !(math.Abs(slope-diff) <= 1e-3+.02*math.Abs(diff)) {
					t.Errorf("%s, image %d: the gradient gives the slope %g, differences give %g", st, i, slope, diff)
				}
			}
		}
	})
}
