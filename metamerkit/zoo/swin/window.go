package swin

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// attention is self-attention in windows of x [B,H,W,C]. A shifted one rolls the
// pixels by half a window first and back afterwards, and masks pairs of pixels that
// are no neighbours in the image.
func (c config) attention(s *model.Scope, x *Node, heads int, shifted bool) *Node {
	b, h, w, ch := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	win, shift := [2]int{min(c.Window, h), min(c.Window, w)}, [2]int{}
	for i, side := range [2]int{h, w} {
		if shifted && side > c.Window {
			shift[i] = c.Window / 2
		}
	}
	n := win[0] * win[1]
	rows, cols := (h+win[0]-1)/win[0], (w+win[1]-1)/win[1]
	x = roll(roll(x, 1, shift[0]), 2, shift[1])
	x = pad(x, rows*win[0]-h, cols*win[1]-w)
	x = TransposeAllAxes(Reshape(x, b, rows, win[0], cols, win[1], ch), 0, 1, 3, 2, 4, 5)

	bias := positionBias(s, x, win, heads) // [1,heads,N,N]
	if shift != [2]int{} {
		mask := ConvertDType(ConstTensor(x.Graph(), shiftMask(rows, cols, win, shift)), x.DType()) // [windows,1,N,N]
		bias = InsertAxes(Add(BroadcastToDims(bias, rows*cols, heads, n, n), BroadcastToDims(mask, rows*cols, heads, n, n)), 0)
		bias = Reshape(BroadcastToDims(bias, b, rows*cols, heads, n, n), b*rows*cols, heads, n, n)
	} else {
		bias = BroadcastToDims(bias, b*rows*cols, heads, n, n)
	}
	x = block.Attention(s, Reshape(x, b*rows*cols, n, ch), heads, true, bias)

	x = TransposeAllAxes(Reshape(x, b, rows, cols, win[0], win[1], ch), 0, 1, 3, 2, 4, 5)
	x = Reshape(x, b, rows*win[0], cols*win[1], ch)
	x = Slice(x, AxisRange(), AxisRange(0, h), AxisRange(0, w))
	return roll(roll(x, 1, h-shift[0]), 2, w-shift[1])
}

// positionBias is the learned bias of each pair of pixels in a window, by their
// offset: [1,heads,N,N] from the table [offsets,heads].
func positionBias(s *model.Scope, x *Node, win [2]int, heads int) *Node {
	n, wide := win[0]*win[1], 2*win[1]-1
	index := make([]int32, 0, n*n)
	for i := range n {
		for j := range n {
			down, right := i/win[1]-j/win[1], i%win[1]-j%win[1]
			index = append(index, int32((down+win[0]-1)*wide+right+win[1]-1))
		}
	}
	table := block.Weight(s, x, "relative_position_bias_table", (2*win[0]-1)*wide, heads)
	at := ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(index, n*n, 1))
	return Reshape(TransposeAllAxes(Gather(table, at), 1, 0), 1, heads, n, n)
}

// shiftMask is 0 where two pixels of a window belong to the same part of the
// rolled image and -100 where they do not: [windows,1,N,N].
func shiftMask(rows, cols int, win, shift [2]int) *tensors.Tensor {
	part := func(at, side, win, shift int) int {
		switch {
		case at < side-win:
			return 0
		case at < side-shift || shift == 0:
			return 1
		}
		return 2
	}
	n := win[0] * win[1]
	out := make([]float32, 0, rows*cols*n*n)
	region := make([]int, n)
	for wi := range rows * cols {
		for i := range n {
			y, x := wi/cols*win[0]+i/win[1], wi%cols*win[1]+i%win[1]
			region[i] = 3*part(y, rows*win[0], win[0], shift[0]) + part(x, cols*win[1], win[1], shift[1])
		}
		for i := range n {
			for j := range n {
				v := float32(0)
				if region[i] != region[j] {
					v = -100
				}
				out = append(out, v)
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(out, rows*cols, 1, n, n)
}

// roll moves the elements of an axis n places towards its start, the first to the
// end.
func roll(x *Node, axis, n int) *Node {
	side := x.Shape().Dim(axis)
	if n%side == 0 {
		return x
	}
	head, tail := make([]SliceAxisSpec, x.Rank()), make([]SliceAxisSpec, x.Rank())
	for i := range head {
		head[i], tail[i] = AxisRange(), AxisRange()
	}
	head[axis], tail[axis] = AxisRange(0, n), AxisRange(n)
	return Concatenate([]*Node{Slice(x, tail...), Slice(x, head...)}, axis)
}

// pad adds zeros below and to the right of x [B,H,W,C].
func pad(x *Node, rows, cols int) *Node {
	if rows == 0 && cols == 0 {
		return x
	}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), compute.PadAxis{}, compute.PadAxis{End: rows}, compute.PadAxis{End: cols}, compute.PadAxis{})
}
