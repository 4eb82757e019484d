package onnx

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// broadcastDims is the common shape of several, as NumPy has it.
func (c *call) broadcastDims(shapes ...[]int) []int {
	var out []int
	for _, s := range shapes {
		for len(out) < len(s) {
			out = append([]int{1}, out...)
		}
	}
	for _, s := range shapes {
		for i, d := range s {
			o := &out[len(out)-len(s)+i]
			switch {
			case d == *o || d == 1:
			case *o == 1:
				*o = d
			default:
				c.refuse("", "", "the shapes %v do not broadcast", shapes)
			}
		}
	}
	return out
}

// leading is dims with ones in front, to a rank.
func leading(dims []int, rank int) []int {
	return append(slices.Repeat([]int{1}, rank-len(dims)), dims...)
}

// unary computes each element alone, in whatever layout the value has.
func (c *call) unary(f func(x *Node) *Node) *value {
	v := c.value(0)
	out := &value{dims: v.dims, varying: v.varying, last: v.last}
	if v.varying {
		out.node = f(v.node)
	} else {
		out.node = f(c.drawing.fixed(v))
	}
	out.kind = out.node.DType()
	return out
}

// elementwise computes each element of several inputs alone, by NumPy's broadcasting. The
// nodes that f gets have one rank, or are scalars.
func (c *call) elementwise(f func(x []*Node) *Node) *value {
	var shapes [][]int
	for i := range c.in {
		shapes = append(shapes, c.dims(i))
	}
	dims := c.broadcastDims(shapes...)
	if c.keepsLast(dims) {
		return c.imagesValue(f(c.lastNodes()))
	}
	nodes := make([]*Node, len(c.in))
	for i, v := range c.in {
		if !v.varying && sizeOf(v.dims) == 1 && c.largerThan(i) {
			nodes[i] = Reshape(c.drawing.fixed(v))
			continue
		}
		x := c.plain(i)
		nodes[i] = Reshape(x, append([]int{x.Shape().Dim(0)}, leading(v.dims, len(dims))...)...)
	}
	return c.out(f(nodes))
}

// largerThan says whether an input other than i has more than one element, or depends on
// the image, and so is no scalar.
func (c *call) largerThan(i int) bool {
	for j, v := range c.in {
		if j != i && (v.varying || sizeOf(v.dims) > 1) {
			return true
		}
	}
	return false
}

// keepsLast says whether the inputs can meet with the channels last: some have them so,
// and all others fit.
func (c *call) keepsLast(dims []int) bool {
	if len(dims) != 4 || !slices.ContainsFunc(c.in, func(v *value) bool { return v.last }) {
		return false
	}
	for _, v := range c.in {
		n := leading(v.dims, 4)[0]
		if v.varying && (len(v.dims) != 4 || n != dims[0]) || !v.varying && n != 1 {
			return false
		}
	}
	return true
}

// lastNodes are the inputs as [images·N,H,W,C], or as scalars.
func (c *call) lastNodes() []*Node {
	nodes := make([]*Node, len(c.in))
	for i, v := range c.in {
		switch {
		case v.varying:
			nodes[i] = c.channelsLast(v)
		case sizeOf(v.dims) == 1:
			nodes[i] = Reshape(c.drawing.fixed(v))
		default:
			nodes[i] = TransposeAllAxes(Reshape(c.drawing.fixed(v), leading(v.dims, 4)...), 0, 2, 3, 1)
		}
	}
	return nodes
}

// same broadcasts nodes of one rank (or scalars) to one shape.
func same(x []*Node) []*Node {
	var dims []int
	for _, n := range x {
		if n.IsScalar() {
			continue
		}
		if dims == nil {
			dims = slices.Clone(n.Shape().Dimensions)
		}
		for i, d := range n.Shape().Dimensions {
			dims[i] = max(dims[i], d)
			if d == 0 {
				dims[i] = 0
			}
		}
	}
	out := make([]*Node, len(x))
	for i, n := range x {
		if out[i] = n; dims != nil && !slices.Equal(n.Shape().Dimensions, dims) {
			out[i] = BroadcastToDims(n, dims...)
		}
	}
	return out
}

// each folds elements of several constants into a new one.
func (c *call) each(out *tensor, set func(i int, at []int)) *tensor {
	at := make([]int, len(c.in))
	strides := make([][]int, len(c.in))
	for i, v := range c.in {
		strides[i] = make([]int, len(out.dims))
		stride := 1
		for j := len(v.dims) - 1; j >= 0; j-- {
			if v.dims[j] != 1 {
				strides[i][len(out.dims)-len(v.dims)+j] = stride
			}
			stride *= v.dims[j]
		}
	}
	position := make([]int, len(out.dims))
	for i := range out.size() {
		for k := range at {
			at[k] = 0
			for j, p := range position {
				at[k] += p * strides[k][j]
			}
		}
		set(i, at)
		advance(position, out.dims)
	}
	return out
}
