package engine

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// Gradients is the inversion loss of one model at a stage and its slope.
type Gradients struct {
	Recipe   metamer.Recipe // with defaults
	Start    []float32      // [N,S,S,3], the images at which the loss is taken
	Loss     []float32      // [N], without penalties
	Gradient []float32      // [N,S,S,3], of each image's own loss and penalties by its pixels
}

// Gradients returns the inversion loss of the recipe's initial images against the
// references, and its gradient by the pixels: where the first step of a synthesis
// begins. Of the recipe it needs one model and a stage, and minds loss, penalties,
// start, seed, batch and PlainReLU.
func (e *Engine) Gradients(ctx context.Context, q Request) (*Gradients, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, tapped, err := e.resolve(q)
	if err != nil {
		return nil, err
	}
	if len(tapped) != 1 {
		return nil, fmt.Errorf("engine: gradients of %d models, expected one", len(tapped))
	}
	if err := e.enoughMemory(tapped, r); err != nil {
		return nil, err
	}
	s := tapped[0]
	cfg := synth.Config{Batch: r.Batch, Size: r.Images.Size, Loss: r.Loss, Penalties: r.Penalties, PlainReLU: r.PlainReLU}
	gradients, err := kept(e, func() (*synth.Gradients, error) { return synth.NewGradients(e.Backend.Compute, s, cfg) }, "gradient", s.Net.Key, s.Layer, cfg)
	if err != nil {
		return nil, err
	}
	probe, err := e.probe(s, r.Batch, r.Images.Size, s.Layer)
	if err != nil {
		return nil, err
	}
	out := &Gradients{Recipe: r}
	if out.Start, err = startImages(r, q); err != nil {
		return nil, err
	}
	n, per := r.Images.Count, r.Images.Size*r.Images.Size*3
	for first := 0; first < n; first += r.Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		acts, err := probe.Read(fill(q.Images.Pixels, first, r.Batch, n, per))
		if err != nil {
			return nil, err
		}
		var flat []float32
		for _, a := range acts[0] {
			flat = append(flat, a...)
		}
		target := tensors.FromFlatDataAndDimensions(flat, append([]int{r.Batch}, probe.Shapes[0]...)...)
		start := tensors.FromFlatDataAndDimensions(fill(out.Start, first, r.Batch, n, per), r.Batch, r.Images.Size, r.Images.Size, 3)
		loss, grad, err := gradients.At(start, target)
		if err != nil {
			return nil, err
		}
		pixels, err := tensors.CopyFlatData[float32](grad)
		if err != nil {
			return nil, fmt.Errorf("engine: gradient of %s: %w", s.Card.Name, err)
		}
		for _, t := range []*tensors.Tensor{grad, start, target} {
			t.MustFinalizeAll()
		}
		real := min(r.Batch, n-first)
		out.Loss = append(out.Loss, loss[:real]...)
		out.Gradient = append(out.Gradient, pixels[:real*per]...)
		e.yield()
	}
	return out, nil
}
