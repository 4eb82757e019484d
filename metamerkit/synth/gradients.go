package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Gradients is what one model at one layer tells an optimiser about images: the compiled
// inversion loss and the gradient that is followed.
type Gradients struct {
	reader
	g *Graph
}

// NewGradients compiles the inversion loss of a tapped model and the gradient that
// cfg.Optimizer follows with the schedule average: that of each image scaled to an L2 norm
// of one, or for a Searcher the objective's values and unscaled gradients. A loss is −Inf
// where it is finite and its gradient is not. Without an optimiser the gradient is that of
// the loss with its penalties. The error names the model and the layer.
func NewGradients(b compute.Backend, s TappedModel, cfg Config) (*Gradients, error) {
	r, acts, err := newReader(b, s.Card, s.Net, cfg, s.Layer)
	if err != nil {
		return nil, err
	}
	gr := &Gradients{reader: r}
	err = exceptions.TryCatch[error](func() {
		st := gr.store()
		g := NewGraph(b, s.Card.Name+" "+s.Layer+" gradient")
		x := Parameter(g, "images", gr.imageShape())
		target := Parameter(g, "target", acts[0])
		gr.parameters(g, st)
		if cfg.values() {
			loss, value, grad := gr.objective(s, st, x, target)
			loss = marked(Where(IsFinite(value), loss, value), grad)
			compile(g, loss, value, grad)
		} else {
			loss, grad := gr.gradient(s, st, x, target)
			if cfg.Optimizer.Name != "" {
				loss, grad = marked(loss, grad), unit(grad)
			}
			compile(g, loss, grad)
		}
		gr.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the gradient of %s at %s: %w", s.Card.Name, s.Layer, err)
	}
	return gr, nil
}

// At returns the losses [B] of images [B,S,S,3] against a target, the reference's
// activation with its batch axis, and the gradient [B,S,S,3], which stays on the device.
func (gr *Gradients) At(images, target *tensors.Tensor) (loss []float32, grad *tensors.Tensor, err error) {
	out, err := gr.at(images, target)
	if err != nil {
		return nil, nil, err
	}
	loss, grad = tensors.MustCopyFlatData[float32](out[0]), out[len(out)-1]
	out[0].MustFinalizeAll()
	return loss, grad, nil
}

// at returns losses [B], values [B] where the configuration asks for them, and gradients [B,S,S,3] on the device.
func (gr *Gradients) at(images, target *tensors.Tensor) (out []*tensors.Tensor, err error) {
	err = exceptions.TryCatch[error](func() { out = gr.g.Run(gr.inputs(images, target)...) })
	if err != nil {
		err = fmt.Errorf("synth: gradient of %s: %w", gr.Name, err)
	}
	return out, err
}
