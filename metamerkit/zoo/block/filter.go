package block

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// filtered reports whether w's frozen convolution of x [B,H,W,C] to out channels is computed
// by Winograd's minimal filtering (see minimal) with kernels transformed beforehand. For
// 128 channels and more on few pixels it takes about half the time of XLA's CPU
// convolution, which is slow for 512; on larger images it moves more numbers than it
// saves. It takes a fifth of a second to compile, so that convolutions of small images
// do not use it. It is for float32: in bfloat16 the transformed numbers would be rounded.
func (w Window) filtered(x *Node, out int) bool {
	if x.DType() != dtypes.Float32 || !w.dense3(x, out, 128) {
		return false
	}
	_, n := w.frame(x)
	area := n[0] * n[1]
	return area <= 28*28 && area*channels(x)*out*9 >= 5e7
}

// both3to4 is kernel4 on both axes as a matrix [16,9]: 16 numbers of the nine of a kernel.
func both3to4() *tensors.Tensor {
	one, m := [4][3]float32{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}}, make([]float32, 0, 16*9)
	for i := range 16 {
		for j := range 9 {
			m = append(m, one[i/4][j/3]*one[i%4][j%3])
		}
	}
	return tensors.FromFlatDataAndDimensions(m, 16, 9)
}

// transformed are the 16 matrices [16,C,O] of a kernel [3,3,C,O].
func transformed(kernel *Node) *Node {
	c, o := kernel.Shape().Dim(2), kernel.Shape().Dim(3)
	u := product(ConstTensor(kernel.Graph(), both3to4()), []int{1}, nil, Reshape(kernel, 9, c*o), []int{0}, nil)
	return Reshape(u, 16, c, o)
}

// turned is the kernel of the gradient: [3,3,O,C].
func turned(kernel *Node) *Node { return TransposeAllAxes(Reverse(kernel, 0, 1), 0, 1, 3, 2) }

// filter is the convolution of x [B,H,W,C] with transformed kernels u [16,C,O].
func (t tiles) filter(x, u *Node) *Node {
	return t.inParts(x, channels(u), 1<<17, func(x *Node) *Node { return filter16(x, u) })
}

// filter16 is filter of a framed x of whole tiles, all at once: one product of 16
// matrices in a stack.
func filter16(x, u *Node) *Node {
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1)/2-1, x.Shape().Dim(2)/2-1
	c, o := u.Shape().Dim(1), u.Shape().Dim(2)
	rows := Stack(pixels4(everySecond(x, 1, h)), 0) // [4,B,h,2w+2,C]
	p := Stack(pixels4(everySecond(rows, 3, w)), 1) // [4,4,B,h,w,C]
	m := product(Reshape(p, 16, b*h*w, c), []int{2}, []int{0}, u, []int{1}, []int{0})
	m = Reshape(m, 4, 4, b, h, w, o)
	m = Stack(results2(elements(m, 0)), 0)  // [2,4,B,h,w,O]
	y := Stack(results2(elements(m, 1)), 4) // [2,B,h,w,2,O]
	return Reshape(TransposeAllAxes(y, 1, 2, 0, 3, 4, 5), b, 2*h, 2*w, o)
}

// everySecond are four views of n elements along an axis of x: every second one, from
// the first to the fourth on.
func everySecond(x *Node, axis, n int) (views []*Node) {
	for from := range 4 {
		spec := make([]SliceAxisSpec, axis+1)
		for a := range axis {
			spec[a] = AxisRange()
		}
		spec[axis] = AxisRange(from, from+2*n-1).Stride(2)
		views = append(views, Slice(x, spec...))
	}
	return views
}

// elements are the slices of x along an axis, which they lack.
func elements(x *Node, axis int) (out []*Node) {
	for i := range x.Shape().Dim(axis) {
		spec := make([]SliceAxisSpec, axis+1)
		for a := range axis {
			spec[a] = AxisRange()
		}
		spec[axis] = AxisElem(i)
		out = append(out, Squeeze(Slice(x, spec...), axis))
	}
	return out
}

// byFilter is w's frozen convolution of x with kernels u = transformed(kernel), with its
// gradient by x, for which v = transformed(turned(kernel)).
func (w Window) byFilter(x, u, v *Node) *Node {
	pads, n := w.frame(x)
	t, back := tiles{pads, n}, tiles{w.back(x), [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}}
	return linear(x, func(x *Node) *Node { return t.filter(x, u) }, func(y *Node) *Node { return back.filter(y, v) })
}
