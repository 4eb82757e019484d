package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/gomlx/gomlx/support/xslices"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/forward"
)

// Sensitivity is how strongly one model at one layer answers to small changes of images:
// compiled products with JᵀJ, where J is the Jacobian of the activations by the pixels.
type Sensitivity struct {
	reader
	g *Graph
}

// NewSensitivity compiles the products of a tapped model for cfg.Batch images with a
// direction each. The error names the model and the layer; for an operation without a
// derivative in forward mode it is a *forward.UnknownError.
func NewSensitivity(b compute.Backend, s TappedModel, cfg Config) (*Sensitivity, error) {
	r, _, err := newReader(b, s.Card, s.Net, cfg, s.Layer)
	if err != nil {
		return nil, err
	}
	out := &Sensitivity{reader: r}
	err = exceptions.TryCatch[error](func() {
		st := out.store()
		g := NewGraph(b, s.Card.Name+" "+s.Layer+" sensitivity")
		block.PlainMax(g)
		x := Parameter(g, "images", out.imageShape())
		v := Parameter(g, "directions", out.imageShape())
		out.parameters(g, st)
		a := s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{}, s.Layer)[0]
		along := StopGradient(forward.Along(a, x, v))
		product := Gradient(ReduceAllSum(Mul(a, along)), x)[0]
		axes := xslices.Iota(1, a.Rank()-1)
		compile(g, product, ReduceSum(Square(along), axes...), ReduceSum(Square(a), axes...))
		out.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the sensitivity of %s at %s: %w", s.Card.Name, s.Layer, err)
	}
	return out, nil
}

// Along returns for images and directions, both [B,S,S,3], the products JᵀJv [B,S,S,3], the
// squared norms ‖Jv‖² [B], which are exacter than v·JᵀJv where they are small, and ‖a‖² [B]
// of the activations.
func (s *Sensitivity) Along(images, directions []float32) (products, squares, norms []float32, err error) {
	dims := s.imageShape().Dimensions
	err = exceptions.TryCatch[error](func() {
		out := s.g.Run(s.inputs(tensors.FromFlatDataAndDimensions(images, dims...), tensors.FromFlatDataAndDimensions(directions, dims...))...)
		for i, to := range []*[]float32{&products, &squares, &norms} {
			*to = tensors.MustCopyFlatData[float32](out[i])
			out[i].MustFinalizeAll()
		}
	})
	if err != nil {
		err = fmt.Errorf("synth: sensitivity of %s: %w", s.Name, err)
	}
	return products, squares, norms, err
}
