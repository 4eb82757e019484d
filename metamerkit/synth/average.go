package synth

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Slope is the compiled inversion loss of one model at one layer and its gradient
// with respect to the images.
type Slope struct {
	reader
	g *Graph
}

// NewSlope compiles the loss and gradient of a tapped. With unitNorm each image's
// gradient is scaled to an L2 norm of one.
func NewSlope(b compute.Backend, s TappedModel, cfg Config, unitNorm bool) (*Slope, error) {
	r, acts, err := newReader(b, s.Card, s.Net, cfg, s.Layer)
	if err != nil {
		return nil, err
	}
	sl := &Slope{reader: r}
	err = exceptions.TryCatch[error](func() {
		st := sl.store()
		g := NewGraph(b, s.Card.Name+" "+s.Layer+" slope")
		x := Parameter(g, "images", sl.imageShape())
		target := Parameter(g, "target", acts[0])
		sl.parameters(g, st)
		loss, grad := sl.slope(s, st, x, target)
		if unitNorm {
			grad = unit(grad)
		}
		compile(g, MulScalar(loss, 1), grad)
		sl.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the gradient of %s at %s: %w", s.Card.Name, s.Layer, err)
	}
	return sl, nil
}

// At returns the losses [B] and the gradient [B,S,S,3], which stays on the device.
func (s *Slope) At(images, target *tensors.Tensor) (loss []float32, grad *tensors.Tensor, err error) {
	err = exceptions.TryCatch[error](func() {
		out := s.g.Run(s.inputs(images, target)...)
		loss, grad = tensors.MustCopyFlatData[float32](out[0]), out[1]
		out[0].MustFinalizeAll()
	})
	if err != nil {
		err = fmt.Errorf("synth: gradient of %s: %w", s.Name, err)
	}
	return loss, grad, err
}

// Mover is the compiled optimiser step from gradients of several models: it
// follows their mean.
type Mover struct {
	reader
	g       *Graph
	members int
}

// NewMover compiles the step for a number of members.
func NewMover(b compute.Backend, cfg Config, members int) (*Mover, error) {
	m := &Mover{reader: reader{Name: "average", cfg: cfg, backend: b}, members: members}
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(b, "average step")
		x, slot := m.stateParameters(g, "")
		active := Parameter(g, "active", shapes.Make(dtypes.Bool, cfg.Batch))
		coef := Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
		var sum *Node
		for i := range members {
			grad := Parameter(g, fmt.Sprintf("gradient%d", i), m.imageShape())
			if sum == nil {
				sum = grad
			} else {
				sum = Add(sum, grad)
			}
		}
		x, slot = step(cfg.Optimizer, x, MulScalar(sum, 1/float64(members)), slot, coef, active)
		compile(g, append([]*Node{x}, slot...)...)
		m.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the average step: %w", err)
	}
	return m, nil
}

// average takes one step with all members and returns their losses [M][B].
func average(ctx context.Context, slopes []*Slope, m *Mover, st *State, active []bool, coef [numCoefficients]float32, targets []*tensors.Tensor) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	losses := make([][]float32, len(slopes))
	var grads []any
	for i, s := range slopes {
		loss, grad, err := s.At(st.Images, targets[i])
		if err != nil {
			return nil, err
		}
		losses[i] = loss
		grads = append(grads, grad)
	}
	err := exceptions.TryCatch[error](func() {
		in := append(m.donate(st), active, coef[:])
		out := m.g.Run(append(in, grads...)...)
		st.Images, st.Slots = out[0], out[1:]
		for _, g := range grads {
			g.(*tensors.Tensor).MustFinalizeAll()
		}
	})
	return losses, err
}
