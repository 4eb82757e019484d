package block

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// wide says whether w's convolution of x [B,H,W,C] to out channels goes tap by tap: one
// product of matrices for each element of the window, summed. XLA's CPU plugin takes
// four times as long for 512 channels at 7², and half as long again at 14²; for fewer
// channels it is as fast or faster.
func (w Window) wide(x *Node, out int) bool {
	if !w.dense3(x, out, 512) {
		return false
	}
	_, n := w.frame(x)
	return n[0]*n[1] <= 28*28
}

// tap is element i,j of a kernel [K,K,C,O], a matrix [C,O].
func tap(kernel *Node, i, j int) *Node {
	return Reshape(Slice(kernel, AxisElem(i), AxisElem(j)), kernel.Shape().Dimensions[2:]...)
}

// byTaps is w's convolution of x with kernel [K,K,C,O], of stride 1, tap by tap, with
// its gradient by x.
func (w Window) byTaps(x, kernel *Node) *Node {
	pads, n := w.frame(x)
	// along is the sum over views of a framed x, each times a matrix; axis is the one of
	// the matrix that x's channels are on.
	along := func(x *Node, n [2]int, axis int, matrix func(i, j int) *Node) *Node {
		var terms []*Node
		for i := range w.K {
			for j := range w.K {
				terms = append(terms, DotGeneral(w.view(x, i, j, n), []int{3}, nil, matrix(i, j), []int{axis}, nil))
			}
		}
		return sum(terms)
	}
	return linear(x, func(x *Node) *Node {
		return along(frameHW(x, 1, pads), n, 0, func(i, j int) *Node { return tap(kernel, i, j) })
	}, func(v *Node) *Node { // the window turned about
		return along(frameHW(v, 1, w.back(x)), [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, 1, func(i, j int) *Node { return tap(kernel, w.K-1-i, w.K-1-j) })
	})
}
