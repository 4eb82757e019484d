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

// losses are the formulas of metamer.Losses, per image [B], of activations a and targets t,
// both [B,…]. Sums are over all axes but the first.
var losses = map[string]func(a, t *Node) *Node{
	// ‖a−t‖₂ / ‖t‖₂ (Feather et al. 2023)
	"relative-l2": func(a, t *Node) *Node {
		d := Sub(a, t)
		return Div(root(dot(d, d)), MaxScalar(root(dot(t, t)), 1e-12))
	},
	// ‖a−t‖₂²
	"squared-l2": func(a, t *Node) *Node {
		d := Sub(a, t)
		return dot(d, d)
	},
	"cosine": unlike,
	// 1 − Pearson correlation over the elements
	"correlation": func(a, t *Node) *Node { return unlike(centred(a), centred(t)) },
}

// similarities are the losses that are 1 − a similarity of [−1,1].
var similarities = map[string]bool{"cosine": true, "correlation": true}

// distance returns the inversion loss of a name per image [B] of activations a against the
// targets t, both [B,…].
func distance(loss string, a, t *Node) *Node {
	formula, known := losses[loss]
	if !known {
		panic("synth: unknown loss " + loss)
	}
	return formula(a, t)
}

// elements are the axes of an image's activations.
func elements(a *Node) []int {
	return xslices.Iota(1, a.Rank()-1) // no reshape: XLA would compute the difference twice
}

// dot is the inner product of each image of u and v [B,…]: [B].
func dot(u, v *Node) *Node { return ReduceSum(Mul(u, v), elements(u)...) }

func centred(a *Node) *Node { return Sub(a, ReduceAndKeep(a, ReduceMean, elements(a)...)) }

// unlike is 1 − a·t / (‖a‖‖t‖).
func unlike(a, t *Node) *Node {
	return OneMinus(Div(dot(a, t), MaxScalar(Mul(root(dot(a, a)), root(dot(t, t))), 1e-12)))
}

// root is √x with the gradient 0 at 0, as PyTorch's norm has it.
func root(x *Node) *Node {
	zero := Equal(x, ZerosLike(x))
	return Where(zero, ZerosLike(x), Sqrt(Where(zero, OnesLike(x), x)))
}

// penalties are the formulas of metamer.Penalties, per image [B], of images x [B,S,S,3].
var penalties = map[string]func(x *Node) *Node{
	// mean absolute difference of neighbouring pixels, both directions
	"tv": func(x *Node) *Node {
		across := Sub(Slice(x, AxisRange(), AxisRange(), AxisRangeToEnd(1)), Slice(x, AxisRange(), AxisRange(), AxisRange(0, x.Shape().Dim(2)-1)))
		down := Sub(Slice(x, AxisRange(), AxisRangeToEnd(1)), Slice(x, AxisRange(), AxisRange(0, x.Shape().Dim(1)-1)))
		return Add(ReduceMean(Abs(across), 1, 2, 3), ReduceMean(Abs(down), 1, 2, 3))
	},
	// mean squared distance to 0.5
	"grey": func(x *Node) *Node { return ReduceMean(Square(AddScalar(x, -0.5)), 1, 2, 3) },
}

// penalty returns the weighted sum of the penalties per image [B], nil of none.
func penalty(ps []metamer.Penalty, x *Node) *Node {
	var sum *Node
	for _, p := range ps {
		formula, known := penalties[p.Name]
		if !known {
			panic("synth: unknown penalty " + p.Name)
		}
		v := MulScalar(formula(x), p.Weight)
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	return sum
}
