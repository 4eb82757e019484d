package block

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// PoolMax is Window.Max of k×k windows: x [B,H,W,C] → [B,H',W',C].
func PoolMax(x *graph.Node, k, stride, pad int) *graph.Node {
	return Window{K: k, Stride: stride, Pad: pad}.Max(x)
}

// PoolMean is the mean of adjacent k×k windows, x [B,H,W,C] → [B,⌊H/k⌋,⌊W/k⌋,C], without
// windows that reach over the edge.
func PoolMean(x *graph.Node, k int) *graph.Node {
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1)/k, x.Shape().Dim(2)/k, channels(x)
	x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, h*k), graph.AxisRange(0, w*k))
	return narrow(graph.ReduceMean(wide(graph.Reshape(x, b, h, k, w, k, c)), 2, 4), x)
}

// PoolTo is PyTorch's adaptive average pool: x [B,H,W,C] → [B,size,size,C], where window i
// of an axis goes from ⌊i·H/size⌋ to ⌈(i+1)·H/size⌉.
func PoolTo(x *graph.Node, size int) *graph.Node {
	if x.Shape().Dim(1) == size && x.Shape().Dim(2) == size {
		return x
	}
	for axis := 1; axis <= 2; axis++ {
		w := graph.ConstTensor(x.Graph(), windows(x.Shape().Dim(axis), size))
		x = product(x, []int{axis}, nil, narrow(w, x), []int{0}, nil) // the pooled axis comes last
		order := []int{0, 1, 2, 3}
		copy(order[axis+1:], order[axis:3])
		order[axis] = 3
		x = graph.TransposeAllAxes(x, order...)
	}
	return x
}

// windows is the matrix [from,to] of an adaptive average pool.
func windows(from, to int) *tensors.Tensor {
	w := make([]float32, from*to)
	for i := range to {
		start, end := i*from/to, ((i+1)*from+to-1)/to
		for j := start; j < end; j++ {
			w[j*to+i] = 1 / float32(end-start)
		}
	}
	return tensors.FromFlatDataAndDimensions(w, from, to)
}
