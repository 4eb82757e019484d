package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Patchify is a k×k convolution of stride k without padding, x [B,H,W,C] → [B,H/k,W/k,out],
// as one matrix product per patch (GoMLX's convolution has a wrong gradient for even k).
// Rows and columns that fill no patch are left out, as in PyTorch.
func Patchify(s *model.Scope, x *Node, out, k int, bias bool) *Node {
	w := Weight(s, x, "weight", k, k, channels(x), out)
	y := product(Patches(x, k), []int{3}, nil, Reshape(w, -1, out), []int{0}, nil)
	if bias {
		y = Add(y, ExpandLeftToRank(Weight(s, x, "bias", out), 4))
	}
	return y
}

// Patches rearranges the k×k patches of x [B,H,W,C] to [B,H/k,W/k,k·k·C], with the values
// of a patch in the order row, column, channel.
func Patches(x *Node, k int) *Node {
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1)/k, x.Shape().Dim(2)/k, channels(x)
	if h*k != x.Shape().Dim(1) || w*k != x.Shape().Dim(2) {
		x = Slice(x, AxisRange(), AxisRange(0, h*k), AxisRange(0, w*k))
	}
	x = TransposeAllAxes(Reshape(x, b, h, k, w, k, c), 0, 1, 3, 2, 4, 5)
	return Reshape(x, b, h, w, k*k*c)
}
