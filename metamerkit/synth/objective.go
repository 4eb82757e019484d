package synth

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/xslices"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// objective is what a solver with Facts().Smooth lowers, with penalties: a smooth function [B] of the images x
// that is zero where the inversion loss is, its gradient, and the inversion loss
// itself. For relative-l2 and squared-l2 it is the squared (relative) residual.
//
// Where the layer ends in a ReLU the residual is one-sided: with z before the ReLU
// and the target t it is z−t where t>0, else relu(z). It is zero exactly where the
// activations are equal, and a unit that should be active and is dead has a slope.
// (PassReLU gives it one as well, but that is the slope of no function, which a
// search along a line cannot do with.) With PlainReLU it is relu(z)−t.
func (r *reader) objective(s TappedModel, st *model.Store, x, target *Node) (loss, value, gradient *Node) {
	a := s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{}, s.Layer)[0]
	loss, value = distance(r.cfg.Loss, a, target), residual(r.cfg.Loss, a, target, r.cfg.PlainReLU)
	if p := penalty(r.cfg.Penalties, x); p != nil {
		value = Add(value, p)
	}
	return loss, value, Gradient(ReduceAllSum(value), x)[0]
}

func residual(loss string, a, target *Node, plain bool) *Node {
	if loss != "relative-l2" && loss != "squared-l2" {
		return distance(loss, a, target)
	}
	d := Sub(a, target)
	if z := stage.Before(a); z != nil && !plain {
		d = Where(GreaterThan(target, ZerosLike(target)), Sub(z, target), a)
	}
	axes := xslices.Iota(1, a.Rank()-1)
	if loss == "relative-l2" {
		d = Div(d, MaxScalar(Sqrt(ReduceAndKeep(Square(target), ReduceSum, axes...)), 1e-12))
	}
	return ReduceSum(Square(d), axes...)
}
