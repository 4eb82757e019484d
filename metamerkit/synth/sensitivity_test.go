package synth

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Forward and backward mode are of one Jacobian: for directions v and w, the product with
// one that forward mode begins and the gradient ends, w·JᵀJv, is the product of Jw and Jv by
// ‖J(v+w)‖². So it is for networks of convolutions, with strides and pools, and of attention.
func TestSensitivity(t *testing.T) {
	images := golden(t, "carried/images")["images"].Float[:3*32*32*3]
	v := tensors.MustCopyFlatData[float32](backendtest.Normal(3, 3, 32, 32, 3))
	const per = 32 * 32 * 3
	for i := range per { // the third direction is the sum of the first two, at one image
		images[per+i], images[2*per+i] = images[i], images[i]
		v[2*per+i] = v[i] + v[per+i]
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, name := range []string{"resnet8_48.mm_c10", "vit_4_96.mm_c10", "convnext_64.mm_c10"} {
			if b.Kind == backend.XLA && name == "convnext_64.mm_c10" {
				continue // it compiles longer than the others together
			}
			c, err := zoo.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			net, err := zoo.Open(c, "../../models/trained/"+c.Weights.File)
			if err != nil {
				t.Fatal(err)
			}
			s := TappedModel{Card: c, Net: net, Layer: zoo.LayerOf(c, "late")}
			sens, err := NewSensitivity(b.Compute, s, Config{Batch: 3, Size: 32})
			if err != nil {
				t.Fatal(err)
			}
			products, squares, norms, err := sens.Along(images, v)
			if err != nil {
				t.Fatal(err)
			}
			between, within := 0.0, 0.0
			for i := range per {
				within += float64(v[i]) * float64(products[i])
				between += float64(v[per+i]) * float64(products[i])
			}
			p, err := NewProbe(b.Compute, c, net, 1, 32, s.Layer)
			if err != nil {
				t.Fatal(err)
			}
			acts, err := p.Read(images[:per])
			if err != nil {
				t.Fatal(err)
			}
			norm := 0.0
			for _, a := range acts[0][0] {
				norm += float64(a) * float64(a)
			}
			scale := float64(squares[0])
			for what, c := range map[string][2]float64{
				"v·JᵀJv against ‖Jv‖²":             {within / scale, 1},
				"w·JᵀJv against that of the norms": {between / scale, float64(squares[2]-squares[1]-squares[0]) / 2 / scale},
				"‖a‖²":                             {float64(norms[0]) / norm, 1},
			} {
				if !(math.Abs(c[0]-c[1]) <= 2e-5) {
					t.Errorf("%s: %s: %g, expected %g", name, what, c[0], c[1])
				}
			}
		}
	})
}
