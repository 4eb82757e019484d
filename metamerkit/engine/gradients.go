package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// Gradients is the inversion loss of one model at a stage and its gradient.
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
	gradients, err := compile(e, "gradient", s.Net.Key, digestOf(s.Layer, cfg), func() (*synth.Gradients, error) { return synth.NewGradients(e.Backend.Compute, s, cfg) })
	if err != nil {
		return nil, err
	}
	probe, err := e.probe(s, r.Batch, r.Images.Size, s.Layer)
	if err != nil {
		return nil, err
	}
	out := &Gradients{Recipe: r, Start: startImages(r, q)}
	n, per := r.Images.Count, r.Images.Size*r.Images.Size*3
	for first := 0; first < n; first += r.Batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var loss, pixels []float32
		err := e.device.do(ctx, func() (err error) {
			loss, pixels, err = gradient(gradients, probe, fill(q.Images.Pixels, first, r.Batch, n, per), fill(out.Start, first, r.Batch, n, per), r.Images.Size)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("engine: gradient of %s: %w", s.Card.Name, err)
		}
		real := min(r.Batch, n-first)
		out.Loss = append(out.Loss, loss[:real]...)
		out.Gradient = append(out.Gradient, pixels[:real*per]...)
	}
	return out, nil
}

// gradient returns the losses and gradients of a batch at its start.
func gradient(g *synth.Gradients, probe *synth.Probe, refs, start []float32, size int) (loss, pixels []float32, err error) {
	acts, err := probe.Read(refs)
	if err != nil {
		return nil, nil, err
	}
	batch := len(acts[0])
	at := tensors.FromFlatDataAndDimensions(start, batch, size, size, 3)
	target := tensors.FromFlatDataAndDimensions(slices.Concat(acts[0]...), append([]int{batch}, probe.Shapes[0]...)...)
	defer at.MustFinalizeAll()
	defer target.MustFinalizeAll()
	loss, grad, err := g.At(at, target)
	if err != nil {
		return nil, nil, err
	}
	defer grad.MustFinalizeAll()
	pixels, err = tensors.CopyFlatData[float32](grad)
	return loss, pixels, err
}
