package onnx

import (
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// take folds an operator that only moves elements: from says where the element at a
// position of the result comes from, as a position of a.
func (c *call) take(a *tensor, dims []int, from func(at, source []int)) *tensor {
	out := newTensor(a.kind, dims...)
	c.spend(out.size())
	at, source := make([]int, len(dims)), make([]int, len(a.dims))
	for i := range out.size() {
		from(at, source)
		j := 0
		for k, p := range source {
			j = j*a.dims[k] + p
		}
		out.copyFrom(i, a, j)
		advance(at, dims)
	}
	return out
}

// layout is a node of an input and where the input's axes are in it.
type layout struct {
	x    *Node
	axis func(a int) int
	wrap func(x *Node) *value // a node of the same layout as a value
}

// along lays input i out for work along the axes: with the channels last if it has them
// so and no axis is the first.
func (c *call) along(i int, axes ...int) layout {
	v := c.value(i)
	if v.last && !slices.Contains(axes, 0) {
		return layout{v.node, func(a int) int { return [4]int{0, 3, 1, 2}[a] }, c.imagesValue}
	}
	return layout{c.plain(i), func(a int) int { return a + 1 }, c.out}
}

// axes are the axes of x that the file calls so.
func (l layout) axes(axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = l.axis(a)
	}
	return out
}

// slice is the part of one axis of x from start, count elements at a step.
func slice(x *Node, axis, start, count, step int) *Node {
	if step < 0 {
		x = Reverse(x, axis)
		start, step = x.Shape().Dim(axis)-1-start, -step
	}
	size := x.Shape().Dim(axis)
	if start == 0 && step == 1 && count == size {
		return x
	}
	spec := make([]SliceAxisSpec, axis+1)
	for a := range spec {
		spec[a] = AxisRange()
	}
	spec[axis] = AxisRange(start, start+(count-1)*step+1)
	if step > 1 {
		spec[axis] = spec[axis].Stride(step)
	}
	return Slice(x, spec...)
}

// gather picks elements of one axis of x. Elements that follow each other at one
// distance are slices; a list without such runs is a gather.
func gather(x *Node, axis int, index []int) *Node {
	var parts []*Node
	for i := 0; i < len(index); {
		n, step := 1, 1
		if i+1 < len(index) && index[i+1] != index[i] {
			step = index[i+1] - index[i]
			for n = 2; i+n < len(index) && index[i+n]-index[i+n-1] == step; n++ {
			}
		}
		parts = append(parts, slice(x, axis, index[i], n, step))
		i += n
		if len(parts) > 64 {
			return gatherAny(x, axis, index)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return Concatenate(parts, axis)
}

// gatherAny is a gather of any list, along the first axis.
func gatherAny(x *Node, axis int, index []int) *Node {
	order := []int{axis}
	for a := range x.Rank() {
		if a != axis {
			order = append(order, a)
		}
	}
	back := make([]int, len(order))
	for i, a := range order {
		back[a] = i
	}
	at := make([]int32, len(index))
	for i, v := range index {
		at[i] = int32(v)
	}
	y := Gather(TransposeAllAxes(x, order...), Reshape(Const(x.Graph(), at), len(at), 1))
	return TransposeAllAxes(y, back...)
}

// frame adds elements to both ends of axes of x; counts below 0 take them away.
func frame(x *Node, with *Node, start, end map[int]int) *Node {
	axes := make([]compute.PadAxis, x.Rank())
	needed := false
	for a := range axes {
		s, e := start[a], end[a]
		if s < 0 || e < 0 {
			x = slice(x, a, max(-s, 0), x.Shape().Dim(a)+min(s, 0)+min(e, 0), 1)
		}
		axes[a] = compute.PadAxis{Start: max(s, 0), End: max(e, 0)}
		needed = needed || axes[a] != compute.PadAxis{}
	}
	if !needed {
		return x
	}
	if with == nil {
		with = ScalarZero(x.Graph(), x.DType())
	}
	return Pad(x, with, axes...)
}
