// Package block has the layers that zoo families share.
//
// Every layer reads its variables by their PyTorch state-dict names: the scope
// path of a variable is its key with "/" for ".". Images and activations are
// NHWC; kernels are HWIO; matrices are [in,out].
package block

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// At returns the sub-scope of s named by a dotted state-dict prefix, formatted as by
// fmt.Sprintf.
func At(s *model.Scope, format string, args ...any) *model.Scope {
	for part := range strings.SplitSeq(fmt.Sprintf(format, args...), ".") {
		s = s.At("%s", part)
	}
	return s
}

// Weight reads the variable called name with the given shape, in x's type. It is trainable
// in a graph under training and frozen otherwise. A variable that is stored in another type
// (zoo.Net.BFloat16, zoo.Net.Mixed) is converted.
func Weight(s *model.Scope, x *Node, name string, dims ...int) *Node {
	if s.IsTraining(x.Graph()) {
		return variable(s, x, name, true, dims...)
	}
	shape := shapes.Make(x.DType(), dims...)
	if v := s.GetVariable(name); v != nil && (v.DType() == dtypes.BFloat16 || x.DType() == dtypes.BFloat16) {
		shape.DType = v.DType()
	}
	w := s.VariableWithShape(name, shape).SetTrainable(false).NodeValue(x.Graph())
	return ConvertDType(w, x.DType())
}

// wide is x in float32, for sums over many elements and for statistics, which 8 bits of
// mantissa are too few for. It is x itself unless activations are in bfloat16.
func wide(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }

// narrow is y in the type of x.
func narrow(y, x *Node) *Node { return ConvertDType(y, x.DType()) }

// product is graph.DotGeneral, whose gradient is computed in the operands' type: GoMLX's
// own widens bfloat16 to float32 on the way back, which takes twice the time on a GPU.
// Sums are in float32 in both.
func product(a *Node, aContracting, aBatch []int, b *Node, bContracting, bBatch []int) *Node {
	return Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType).General(aContracting, aBatch, bContracting, bBatch)
}

func channels(x *Node) int { return x.Shape().Dim(-1) }

// Linear applies y = xW + b to the last axis: [...,C] → [...,out].
func Linear(s *model.Scope, x *Node, out int) *Node {
	w, b := Weight(s, x, "weight", channels(x), out), Weight(s, x, "bias", out)
	y := product(x, []int{x.Rank() - 1}, nil, w, []int{0}, nil)
	return Add(y, ExpandLeftToRank(b, y.Rank()))
}

// ReLU is max(x, 0) with a gradient of 0 at 0, as in PyTorch (see stage.ReLU).
func ReLU(x *Node) *Node { return stage.ReLU(x) }
