package synth

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Activations, losses and image gradients of the networks that the repository carries
// agree with PyTorch on the same weights (testdata/scripts/carried.py).
func TestGoldenCarried(t *testing.T) {
	const sample = 8 // of each activation the golden file has every 8th value
	start := golden(t, "pgd_start")["start"].Float[:2*32*32*3]
	photos := golden(t, "carried/images")["images"].Float[:2*32*32*3]
	image := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 2, 32, 32, 3) }
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, name := range []string{"resnet8_48.mm_c10", "resnet8_48.mm_c10_linf8", "plain7_48.mm_c10", "plain7_48.mm_c10_linf8", "vit_4_96.mm_c10", "vit_4_96.mm_c10_linf8"} {
			t.Run(name, func(t *testing.T) {
				g := golden(t, "carried/"+name)
				c, err := zoo.Lookup(name)
				if err != nil {
					t.Fatal(err)
				}
				net, err := zoo.Open(c, "../../models/trained/"+c.Weights.File)
				if err != nil {
					t.Fatal(err)
				}
				for _, stage := range metamer.Stages {
					s := TappedModel{Card: c, Net: net, Layer: zoo.LayerOf(c, stage)}
					p, err := NewProbe(b.Compute, c, net, 2, 32, s.Layer, "logits")
					if err != nil {
						t.Fatal(err)
					}
					acts, err := p.Read(photos)
					if err != nil {
						t.Fatal(err)
					}
					target := append(acts[0][0], acts[0][1]...)
					var some []float32
					for i := 0; i < len(target); i += sample {
						some = append(some, target[i])
					}
					near(t, stage+" activation", some, g["activation."+stage].Float, 1e-4)
					near(t, "logits", append(acts[1][0], acts[1][1]...), g["logits"].Float, 1e-4)
					sl, err := NewGradients(b.Compute, s, Config{Batch: 2, Size: 32, Loss: "relative-l2"})
					if err != nil {
						t.Fatal(err)
					}
					loss, grad, err := sl.At(image(start), tensors.FromFlatDataAndDimensions(target, append([]int{2}, p.Shapes[0]...)...))
					if err != nil {
						t.Fatal(err)
					}
					near(t, stage+" loss", loss, g["loss."+stage].Float, 1e-4)
					near(t, stage+" gradient", tensors.MustCopyFlatData[float32](grad), g["gradient."+stage].Float, 1e-4)
				}
			})
		}
	})
}
