package synth_test

import (
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
)

// The inversion loss of a grey image against a ramp, at one layer of a network, and its
// gradient with respect to the pixels.
func ExampleNewGradients() {
	b, err := backend.Open(backend.Go)
	if err != nil {
		log.Fatal(err)
	}
	c, err := zoo.Lookup("plain7_48.mm_c10_linf8")
	if err != nil {
		log.Fatal(err)
	}
	net, err := zoo.Open(c, "../../models/trained/"+c.Weights.File)
	if err != nil {
		log.Fatal(err)
	}
	layer := zoo.LayerOf(c, "late")

	ramp, grey := make([]float32, 32*32*3), make([]float32, 32*32*3)
	for i := range ramp {
		ramp[i], grey[i] = float32(i)/float32(len(ramp)), 0.5
	}
	probe, err := synth.NewProbe(b.Compute, c, net, 1, 32, layer)
	if err != nil {
		log.Fatal(err)
	}
	acts, err := probe.Read(ramp)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(layer, probe.Shapes[0])

	g, err := synth.NewGradients(b.Compute, synth.TappedModel{Card: c, Net: net, Layer: layer}, synth.Config{Batch: 1, Size: 32, Loss: "relative-l2"})
	if err != nil {
		log.Fatal(err)
	}
	target := tensors.FromFlatDataAndDimensions(acts[0][0], append([]int{1}, probe.Shapes[0]...)...)
	loss, grad, err := g.At(tensors.FromFlatDataAndDimensions(grey, 1, 32, 32, 3), target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.1f, gradient %v\n", loss[0], grad.Shape().Dimensions)
	// Output:
	// avgpool [192]
	// loss 1.0, gradient [1 32 32 3]
}
