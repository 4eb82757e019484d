package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// linear is forward(x) with a gradient of our own: the gradient by x of a result with
// gradient v is transpose(v). forward has to be linear in x; nothing else that it
// reads gets a gradient. The derived gradient of a grouped convolution is one
// convolution a group, and that of shifted views is a sum of padded copies, which
// XLA computes an order of magnitude slower than shifted views.
//
// GoMLX attaches gradients to functions that keep the shape, so that the way of the
// gradient is a zero beside the result: x − x, then zeros of the result's shape.
func linear(x *Node, forward, transpose func(*Node) *Node) *Node {
	y := StopGradient(forward(StopGradient(x)))
	nx, ny, dims := x.Shape().Size(), y.Shape().Size(), y.Shape().Dimensions
	zeros := ZerosLike(Reshape(y, ny))
	both := Concatenate([]*Node{Reshape(Sub(x, StopGradient(x)), nx), zeros}, 0)
	both = IdentityWithCustomGradient(both, func(_, v *Node) *Node {
		v = Reshape(Slice(v, AxisRange(nx, nx+ny)), dims...)
		return Concatenate([]*Node{Reshape(transpose(v), nx), zeros}, 0)
	})
	return Add(y, Reshape(Slice(both, AxisRange(nx, nx+ny)), dims...))
}

// back returns the padding of the transposed convolution, which brings rows and
// columns of the result, dilated by the stride, back to those of x.
func (w Window) back(x *Node) (pads [2][2]int) {
	framed, n := w.frame(x)
	for i := range 2 {
		start := framed[i][0]
		pads[i] = [2]int{w.K - 1 - start, x.Shape().Dim(i+1) - (n[i]-1)*w.stride() - 1 + start}
	}
	return pads
}
