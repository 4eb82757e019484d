package engine

import (
	"context"
	"math"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Losses and gradients agree with PyTorch's, with and without the passing ReLU, in
// one batch and image by image.
func TestGradients(t *testing.T) {
	cifar(t, "cifar10:1") // the weights are there, or skip
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		e := New(b)
		for _, name := range []string{"resnet20_cifar10", "resnet4b", "vit_pgd_2_3_16"} {
			f, err := weights.Open("../../testdata/golden/" + name + ".safetensors")
			if err != nil {
				t.Fatal(err)
			}
			set := func(key string) *images.Set {
				return &images.Set{Name: key, Size: 32, Names: []string{"a", "b"}, Labels: []int{-1, -1}, Pixels: f.Tensors[key].Float}
			}
			for _, stage := range metamer.Stages {
				for key, plain := range map[string]bool{"gradient.": false, "gradient_plain.": true} {
					for batch := 1; batch <= 2; batch++ {
						got, err := e.Gradients(context.Background(), Request{
							Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members(name), Stage: stage, Start: metamer.Start{Kind: "image"}, PlainReLU: plain, Batch: batch},
							Images: set("images"), Given: set("start"),
						})
						if err != nil {
							t.Fatal(err)
						}
						if d := relative(got.Loss, f.Tensors["loss."+stage].Float); !(d <= 1e-3) {
							t.Errorf("%s %s batch %d: loss differs by %.2g", name, stage, batch, d)
						}
						if d := relative(got.Gradient, f.Tensors[key+stage].Float); !(d <= 1e-3) {
							t.Errorf("%s %s%s batch %d: gradient differs by %.2g", name, key, stage, batch, d)
						}
					}
				}
			}
		}
		if _, err := e.Gradients(context.Background(), Request{Recipe: metamer.Recipe{Optimizer: metamer.Optimizer{Name: "pgd"}, Models: members("resnet20", "resnet2b"), Stage: "late"}, Images: &images.Set{Size: 32, Names: []string{"a"}, Labels: []int{-1}, Pixels: make([]float32, 32*32*3)}}); err == nil {
			t.Error("gradients of two models are not refused")
		}
	})
}

// relative is ‖got−want‖₂ / ‖want‖₂.
func relative(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	d, n := 0.0, 0.0
	for i := range got {
		d += math.Pow(float64(got[i]-want[i]), 2)
		n += math.Pow(float64(want[i]), 2)
	}
	return math.Sqrt(d / n)
}
