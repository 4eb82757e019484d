package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// LayerNorm normalises the last axis of x to mean 0 and variance 1 and applies a learned
// scale and shift, weight and bias (Ba et al. 2016). eps is added to the variance; timm's
// models use 1e-6, PyTorch's default is 1e-5.
func LayerNorm(s *model.Scope, x *Node, eps float64) *Node {
	from := x
	x = wide(x)
	gain, bias := Weight(s, x, "weight", channels(x)), Weight(s, x, "bias", channels(x))
	x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	variance := ReduceAndKeep(Square(x), ReduceMean, -1)
	x = Div(x, Sqrt(AddScalar(variance, eps)))
	return narrow(Add(Mul(x, ExpandLeftToRank(gain, x.Rank())), ExpandLeftToRank(bias, x.Rank())), from)
}

// LayerScale multiplies the channels of x [...,C] by learned factors, the variable name [C]
// (Touvron et al. 2021, arXiv:2103.17239).
func LayerScale(s *model.Scope, x *Node, name string) *Node {
	return Mul(x, ExpandLeftToRank(Weight(s, x, name, channels(x)), x.Rank()))
}

// ResponseNorm is the global response normalisation of ConvNeXt V2 (Woo et al. 2023,
// arXiv:2301.00808): each channel of x [B,H,W,C] is scaled by its L2 norm over the image,
// divided by the mean norm of the channels.
func ResponseNorm(s *model.Scope, x *Node) *Node {
	from := x
	x = wide(x)
	gain, bias := Weight(s, x, "weight", channels(x)), Weight(s, x, "bias", channels(x))
	// A channel that is zero everywhere has the gradient 0 in PyTorch too: the
	// smallest normal number keeps the root's slope finite there.
	norm := Sqrt(MaxScalar(ReduceAndKeep(Square(x), ReduceSum, 1, 2), 1.2e-38)) // [B,1,1,C]
	norm = Div(norm, AddScalar(ReduceAndKeep(norm, ReduceMean, -1), 1e-6))
	scaled := Mul(Mul(x, norm), ExpandLeftToRank(gain, 4))
	return narrow(Add(x, Add(scaled, ExpandLeftToRank(bias, 4))), from)
}
