// Package synth synthesises metamers. It compiles the inversion loss of one model at one
// layer, its gradient and the optimiser's step into a unit, which a schedule calls in a
// loop (Loop). Pixels are float32 in [0,1], images [B,S,S,3]: B images, S pixels a side.
// The method is that of Feather et al. 2023 and Boehm et al. 2025; docs/fast.md describes
// the optimisers.
package synth

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/xslices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// distance returns the inversion loss per image [B] of activations a against the
// targets t, both [B,…].
//
//	relative-l2  ‖a−t‖₂ / ‖t‖₂  (Feather et al. 2023)
//	squared-l2   ‖a−t‖₂²
//	cosine       1 − a·t / (‖a‖‖t‖)
//	correlation  1 − Pearson correlation over the elements
func distance(loss string, a, t *Node) *Node {
	axes := xslices.Iota(1, a.Rank()-1) // no reshape: XLA would compute the difference twice
	if loss == "correlation" {
		a, t = Sub(a, ReduceAndKeep(a, ReduceMean, axes...)), Sub(t, ReduceAndKeep(t, ReduceMean, axes...))
	}
	dot := func(u, v *Node) *Node { return ReduceSum(Mul(u, v), axes...) }
	switch loss {
	case "relative-l2":
		d := Sub(a, t)
		return Div(root(dot(d, d)), MaxScalar(root(dot(t, t)), 1e-12))
	case "squared-l2":
		d := Sub(a, t)
		return dot(d, d)
	case "cosine", "correlation":
		return OneMinus(Div(dot(a, t), MaxScalar(Mul(root(dot(a, a)), root(dot(t, t))), 1e-12)))
	}
	panic("synth: unknown loss " + loss)
}

// root is √x with the gradient 0 at 0, as PyTorch's norm has it.
func root(x *Node) *Node {
	zero := Equal(x, ZerosLike(x))
	return Where(zero, ZerosLike(x), Sqrt(Where(zero, OnesLike(x), x)))
}

// penalty returns the weighted sum of the penalties per image [B].
//
//	tv    mean absolute difference of neighbouring pixels, both directions
//	grey  mean squared distance to 0.5
func penalty(ps []metamer.Penalty, x *Node) *Node {
	var sum *Node
	for _, p := range ps {
		var v *Node
		switch p.Name {
		case "tv":
			across := Sub(Slice(x, AxisRange(), AxisRange(), AxisRangeToEnd(1)), Slice(x, AxisRange(), AxisRange(), AxisRange(0, x.Shape().Dim(2)-1)))
			down := Sub(Slice(x, AxisRange(), AxisRangeToEnd(1)), Slice(x, AxisRange(), AxisRange(0, x.Shape().Dim(1)-1)))
			v = Add(ReduceMean(Abs(across), 1, 2, 3), ReduceMean(Abs(down), 1, 2, 3))
		case "grey":
			v = ReduceMean(Square(AddScalar(x, -0.5)), 1, 2, 3)
		default:
			panic("synth: unknown penalty " + p.Name)
		}
		v = MulScalar(v, p.Weight)
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	return sum
}
