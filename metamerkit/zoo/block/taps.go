package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// wide says whether w's convolution of x [B,H,W,C] to out channels goes tap by tap: one
// product of matrices for each element of the window, summed. XLA's CPU plugin takes
// four times as long for 512 channels at 7², and half as long again at 14²; for fewer
// channels it is as fast or faster.
func (w Window) wide(x *Node, out int) bool {
	if w.K != 3 || w.stride() != 1 || w.groups() != 1 || min(channels(x), out) < 512 || !onCPU(x) {
		return false
	}
	pads, n := w.frame(x)
	return n[0]*n[1] <= 28*28 && max(pads[0][0], pads[0][1], pads[1][0], pads[1][1]) < w.K
}

// byTaps is w's convolution of x with kernel [K,K,C,O], of stride 1, tap by tap, with
// its gradient by x.
func (w Window) byTaps(x, kernel *Node) *Node {
	pads, n := w.frame(x)
	tap := func(i, j int) *Node {
		return Reshape(Slice(kernel, AxisElem(i), AxisElem(j)), kernel.Shape().Dimensions[2:]...)
	}
	// along is the sum over views of a framed x, each times its tap's matrix; axis is
	// the one of the matrix that x's channels are on.
	along := func(x *Node, n [2]int, axis int, tap func(i, j int) *Node) *Node {
		var terms []*Node
		for i := range w.K {
			for j := range w.K {
				terms = append(terms, DotGeneral(w.view(x, i, j, n), []int{3}, nil, tap(i, j), []int{axis}, nil))
			}
		}
		return sum(terms)
	}
	return linear(x, func(x *Node) *Node { return along(frameHW(x, 1, pads), n, 0, tap) }, func(v *Node) *Node {
		v = frameHW(v, 1, w.back(x))
		return along(v, [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, 1, func(i, j int) *Node { return tap(w.K-1-i, w.K-1-j) })
	})
}
