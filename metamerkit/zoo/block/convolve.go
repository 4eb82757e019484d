package block

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// frozen is the convolution of x with a kernel [K,K,C/Groups,out] that draw makes of the
// weights in scope s, and that nothing trains. own says that draw computes.
func (w Window) frozen(s *model.Scope, x *Node, out int, own bool, draw func() *Node) *Node {
	g := x.Graph()
	if w.filtered(x, out) {
		u := Once(s, g, "filter", func() *Node { return transformed(draw()) })
		v := Once(s, g, "filter back", func() *Node { return transformed(turned(draw())) })
		return w.byFilter(x, u, v)
	}
	if own {
		return w.convolve(x, Once(s, g, "kernel", draw), false)
	}
	return w.convolve(x, draw(), false)
}

// convolve is PyTorch's convolution of x [B,H,W,C] with a kernel [K,K,C/Groups,O].
//
// GoMLX v0.28.13 has a wrong image gradient for kernels of even size, so that an
// even kernel gets a row and a column of zeros first. On XLA's CPU some 3×3 windows
// have a form of their own in training (see minimal).
//
// Groups have forms of their own, whose gradient reaches the image alone unless the
// graph trains weights.
func (w Window) convolve(x, kernel *Node, training bool) *Node {
	switch g := w.groups(); {
	case g > 1 && g == channels(x) && g == kernel.Shape().Dim(3):
		return w.depthwise(x, kernel, training)
	case g > 1:
		return w.grouped(x, kernel, training)
	}
	pads, n := w.frame(x)
	if n == [2]int{1, 1} && pads == [2][2]int{} && w.K == x.Shape().Dim(1) && w.K == x.Shape().Dim(2) { // one window that is the image
		o := kernel.Shape().Dim(3)
		y := product(Reshape(x, x.Shape().Dim(0), -1), []int{1}, nil, Reshape(kernel, -1, o), []int{0}, nil)
		return Reshape(y, -1, 1, 1, o)
	}
	if w.K == 1 && pads == [2][2]int{} {
		x = every(x, w.stride())
		return product(x, []int{3}, nil, Reshape(kernel, kernel.Shape().Dim(2), kernel.Shape().Dim(3)), []int{0}, nil)
	}
	if w.minimal(x, kernel.Shape().Dim(3), training) {
		return w.tiled(x, kernel)
	}
	if w.K%2 == 0 {
		kernel = frameHW(kernel, 0, [2][2]int{{0, 1}, {0, 1}})
		pads[0][1]++
		pads[1][1]++
	}
	return Convolve(x, kernel).Strides(w.stride()).PaddingPerDim(pads[:]).Done()
}

// patches returns K·K views of x, one for each element of the window, row by row:
// view [B,H',W',C] holds what that element sees.
func (w Window) patches(x *Node) (views []*Node) {
	pads, n := w.frame(x)
	x = frameHW(x, 1, pads)
	for i := range w.K {
		for j := range w.K {
			views = append(views, w.view(x, i, j, n))
		}
	}
	return views
}

// view is what element i,j of the window sees of a padded x, at n windows.
func (w Window) view(x *Node, i, j int, n [2]int) *Node {
	s := w.stride()
	x = Slice(x, AxisRange(), AxisRange(i, i+(n[0]-1)*s+1), AxisRange(j, j+(n[1]-1)*s+1))
	return every(x, s)
}

// every keeps each stride-th row and column, from the first.
func every(x *Node, stride int) *Node {
	if stride == 1 {
		return x
	}
	return Slice(x, AxisRange(), AxisRange().Stride(stride), AxisRange().Stride(stride))
}

// frameHW adds zeros to axes first and first+1 of a rank-4 tensor: start and end of
// each.
func frameHW(x *Node, first int, pads [2][2]int) *Node {
	return padHW(x, first, pads, ScalarZero(x.Graph(), x.DType()))
}

// padHW is frameHW with another number than zero.
func padHW(x *Node, first int, pads [2][2]int, with *Node) *Node {
	if pads == [2][2]int{} {
		return x
	}
	axes := make([]compute.PadAxis, 4)
	for i, p := range pads {
		axes[first+i] = compute.PadAxis{Start: p[0], End: p[1]}
	}
	return Pad(x, with, axes...)
}
