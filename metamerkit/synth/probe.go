package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Probe is the compiled forward pass of a model that reads layers back.
type Probe struct {
	reader
	g      *Graph
	Shapes [][]int // of each layer's activation for one image
}

// NewProbe compiles the forward pass up to the last of the layers, for batches of a fixed
// number of images of size² pixels. Layers are names that the model marks; "logits" is one
// of them.
func NewProbe(b compute.Backend, c *card.Card, net *zoo.Net, batch, size int, layers ...string) (*Probe, error) {
	r, acts, err := newReader(b, c, net, Config{Batch: batch, Size: size}, layers...)
	if err != nil {
		return nil, err
	}
	p := &Probe{reader: r}
	for _, a := range acts {
		p.Shapes = append(p.Shapes, a.Dimensions[1:])
	}
	err = exceptions.TryCatch[error](func() {
		st := p.store()
		g := NewGraph(b, c.Name+" probe")
		x := Parameter(g, "images", p.imageShape())
		p.parameters(g, st)
		out := net.Tap(st.RootScope(), c.Input, x, stage.Options{}, layers...)
		for i := range out {
			out[i] = Reshape(out[i], batch, -1)
		}
		compile(g, out...)
		p.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling model %s: %w", c.Name, err)
	}
	return p, nil
}

// Read returns the activations of any number n of images, float32 [n,S,S,3] in [0,1]: for
// each layer one flat slice per image, of the shape in Shapes. It runs batch by batch and
// fills up the last one.
func (p *Probe) Read(images []float32) ([][][]float32, error) {
	per := p.cfg.Size * p.cfg.Size * 3
	batch := p.cfg.Batch
	out := make([][][]float32, len(p.Shapes))
	for from := 0; from < len(images); from += batch * per {
		part := images[from:min(from+batch*per, len(images))]
		n := len(part) / per
		in := make([]float32, batch*per)
		copy(in, part)
		err := exceptions.TryCatch[error](func() {
			for i, t := range p.g.Run(p.inputs(tensors.FromFlatDataAndDimensions(in, batch, p.cfg.Size, p.cfg.Size, 3))...) {
				flat := tensors.MustCopyFlatData[float32](t)
				t.MustFinalizeAll()
				d := len(flat) / batch
				for j := range n {
					out[i] = append(out[i], flat[j*d:(j+1)*d])
				}
			}
		})
		if err != nil {
			return nil, fmt.Errorf("synth: running model %s: %w", p.Name, err)
		}
	}
	return out, nil
}
