package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// linear is forward(x) with a gradient of our own: the gradient by x of a result with
// gradient v is transpose(v). forward has to be linear in x; nothing else that it
// reads gets a gradient. The derived gradient of a grouped convolution is one
// convolution a group, and that of shifted views is a sum of padded copies, which
// XLA computes an order of magnitude slower than shifted views.
func linear(x *Node, forward, transpose func(*Node) *Node) *Node {
	return adjoint([]*Node{x}, func(in []*Node) *Node { return forward(in[0]) }, func(v *Node) []*Node { return []*Node{transpose(v)} })
}

// adjoint is linear of several inputs, in each of which forward is linear: transpose
// returns a gradient for each.
//
// GoMLX attaches gradients to functions that keep the shape, so that the way of the
// gradient is a zero beside the result: in − in, one after the other, then zeros of
// the result's shape.
func adjoint(in []*Node, forward func(in []*Node) *Node, transpose func(v *Node) []*Node) *Node {
	var still, way []*Node
	n := 0
	for _, x := range in {
		still = append(still, StopGradient(x))
		way = append(way, Reshape(Sub(x, StopGradient(x)), x.Shape().Size()))
		n += x.Shape().Size()
	}
	y := StopGradient(forward(still))
	ny, dims := y.Shape().Size(), y.Shape().Dimensions
	zeros := ZerosLike(Reshape(y, ny))
	both := IdentityWithCustomGradient(Concatenate(append(way, zeros), 0), func(_, v *Node) *Node {
		var back []*Node
		for _, g := range transpose(Reshape(Slice(v, AxisRange(n, n+ny)), dims...)) {
			back = append(back, Reshape(g, g.Shape().Size()))
		}
		return Concatenate(append(back, zeros), 0)
	})
	return Add(y, Reshape(Slice(both, AxisRange(n, n+ny)), dims...))
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
