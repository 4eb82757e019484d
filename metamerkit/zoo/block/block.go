// Package block has the layers that zoo families share.
//
// Every layer reads its variables by their PyTorch state-dict names: the scope
// path of a variable is its key with "/" for ".". Images and activations are
// NHWC; kernels are HWIO; matrices are [in,out].
package block

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// At returns the sub-scope of s named by a dotted state-dict prefix.
func At(s *model.Scope, format string, args ...any) *model.Scope {
	for part := range strings.SplitSeq(fmt.Sprintf(format, args...), ".") {
		s = s.At("%s", part)
	}
	return s
}

// Weight reads the variable called name, of the given shape and of x's type. It is
// trainable in a graph under training, else frozen.
func Weight(s *model.Scope, x *Node, name string, dims ...int) *Node {
	if s.IsTraining(x.Graph()) {
		return variable(s, x, name, true, dims...)
	}
	return s.VariableWithShape(name, shapes.Make(x.DType(), dims...)).SetTrainable(false).NodeValue(x.Graph())
}

func channels(x *Node) int { return x.Shape().Dim(-1) }

// Linear applies y = xW + b on the last axis.
func Linear(s *model.Scope, x *Node, out int) *Node {
	w, b := Weight(s, x, "weight", channels(x), out), Weight(s, x, "bias", out)
	y := DotGeneral(x, []int{x.Rank() - 1}, nil, w, []int{0}, nil)
	return Add(y, ExpandLeftToRank(b, y.Rank()))
}

// Conv is a k×k convolution with bias.
func Conv(s *model.Scope, x *Node, out, k, stride, pad int) *Node {
	w, b := Weight(s, x, "weight", k, k, channels(x), out), Weight(s, x, "bias", out)
	return Add(convolve(x, w, stride, pad), ExpandLeftToRank(b, 4))
}

// ConvNorm is a k×k convolution without bias, in the scope conv, followed by a
// frozen batch normalisation (ε = 1e-5) in the scope norm. The normalisation is
// folded into kernel and bias. In training it normalises by the batch.
func ConvNorm(conv, norm *model.Scope, x *Node, out, k, stride, pad int) *Node {
	w := Weight(conv, x, "weight", k, k, channels(x), out)
	if conv.IsTraining(x.Graph()) {
		return batchNorm(norm, convolve(x, w, stride, pad), 1e-5)
	}
	gain, bias := Weight(norm, x, "weight", out), Weight(norm, x, "bias", out)
	mean, variance := Weight(norm, x, "running_mean", out), Weight(norm, x, "running_var", out)
	scale := Div(gain, Sqrt(AddScalar(variance, 1e-5)))
	shift := Sub(bias, Mul(mean, scale))
	y := convolve(x, Mul(w, ExpandLeftToRank(scale, 4)), stride, pad)
	return Add(y, ExpandLeftToRank(shift, 4))
}

// ReLU is max(x, 0).
func ReLU(x *Node) *Node { return MaxScalar(x, 0) }
