package block

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// convolve is PyTorch's convolution: x [B,H,W,C], kernel [k,k,C,O], the same
// stride and zero padding on both axes.
//
// GoMLX v0.28.5 has a wrong image gradient for kernels of even size, so that an
// even kernel gets a row and a column of zeros first. Its pure-Go backend has a
// slow convolution; there the patches are gathered and multiplied as one matrix.
func convolve(x, kernel *Node, stride, pad int) *Node {
	k := kernel.Shape().Dim(0)
	if k == 1 && pad == 0 {
		x = every(x, stride)
		return DotGeneral(x, []int{3}, nil, Reshape(kernel, kernel.Shape().Dim(2), kernel.Shape().Dim(3)), []int{0}, nil)
	}
	if x.Graph().Backend().Name() == "go" {
		return patches(x, kernel, stride, pad)
	}
	end := pad
	if k%2 == 0 {
		kernel = padHW(kernel, 0, 1, 0)
		end++
	}
	return Convolve(x, kernel).Strides(stride).PaddingPerDim([][2]int{{pad, end}, {pad, end}}).Done()
}

// patches is convolve as k·k shifted views of x, side by side, times a matrix.
func patches(x, kernel *Node, stride, pad int) *Node {
	k, out := kernel.Shape().Dim(0), kernel.Shape().Dim(3)
	c := channels(x)
	if pad > 0 {
		x = padHW(x, pad, pad, 1)
	}
	h, w := (x.Shape().Dim(1)-k)/stride+1, (x.Shape().Dim(2)-k)/stride+1
	views := make([]*Node, 0, k*k)
	for i := range k {
		for j := range k {
			v := Slice(x, AxisRange(), AxisRange(i, i+(h-1)*stride+1), AxisRange(j, j+(w-1)*stride+1))
			views = append(views, every(v, stride))
		}
	}
	return DotGeneral(Concatenate(views, 3), []int{3}, nil, Reshape(kernel, k*k*c, out), []int{0}, nil)
}

// every keeps each stride-th row and column, from the first.
func every(x *Node, stride int) *Node {
	if stride == 1 {
		return x
	}
	return Slice(x, AxisRange(), AxisRange().Stride(stride), AxisRange().Stride(stride))
}

// padHW adds start and end zeros to axes first and first+1 of a rank-4 tensor.
func padHW(x *Node, start, end, first int) *Node {
	axes := make([]compute.PadAxis, 4)
	axes[first] = compute.PadAxis{Start: start, End: end}
	axes[first+1] = axes[first]
	return Pad(x, ScalarZero(x.Graph(), x.DType()), axes...)
}
