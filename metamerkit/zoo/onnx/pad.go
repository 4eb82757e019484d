package onnx

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/xslices"
)

func init() {
	register(7, padNode, func(c *call) *tensor {
		p := c.pads()
		a := c.host(0)
		out := newTensor(a.kind, p.dims...)
		c.spend(out.size())
		at := make([]int, len(p.dims))
		for i := range out.size() {
			j, inside := 0, true
			for k, pos := range at {
				s := p.index[k][pos]
				inside = inside && s >= 0
				j = j*a.dims[k] + s
			}
			switch {
			case inside:
				out.copyFrom(i, a, j)
			case p.value != nil:
				out.copyFrom(i, p.value, 0)
			}
			advance(at, p.dims)
		}
		return out
	}, "Pad")
}

// padding is what Pad does: for each axis, which element of the input each of the result
// is, −1 for the value.
type padding struct {
	mode       string
	start, end []int // elements added, or taken away
	index      [][]int
	dims       []int
	value      *tensor // nil for 0
}

func (c *call) pads() *padding {
	p := &padding{mode: c.text("mode", "constant")}
	from := c.dims(0)
	var list, axes []int
	if c.opset < 11 {
		list = c.list("pads")
		if v := c.float("value", 0); v != 0 {
			p.value = newTensor(c.value(0).kind, 1)
			p.value.set(0, v)
		}
	} else {
		list = c.ints(1)
		if c.has(2) && c.host(2).size() > 0 {
			p.value = c.host(2)
		}
		if c.has(3) && c.opset >= 18 {
			axes = c.axes("axes", c.ints(3), len(from))
		}
	}
	if p.value != nil && (p.value.size() != 1 || p.value.kind != c.in[0].kind) {
		c.refuse("value", "", "it is %v %v for an input of %v", p.value.kind, p.value.dims, c.in[0].kind)
	}
	if axes == nil {
		axes = xslices.Iota(0, len(from))
	}
	if len(list) != 2*len(axes) {
		c.refuse("pads", "", "it is %v for %d axes", list, len(axes))
	}
	p.start, p.end, p.index = make([]int, len(from)), make([]int, len(from)), make([][]int, len(from))
	p.dims = slices.Clone(from)
	for i, a := range axes {
		p.start[a], p.end[a] = list[i], list[len(axes)+i]
		if limit := maxElements; max(p.start[a], p.end[a]) > limit || min(p.start[a], p.end[a]) < -limit {
			c.refuse("pads", "", "it is %v", list)
		}
		p.dims[a] += p.start[a] + p.end[a]
	}
	sizeOf(p.dims)
	for a, n := range from {
		c.spend(p.dims[a])
		for i := range p.dims[a] {
			p.index[a] = append(p.index[a], c.padIndex(p, a, i-p.start[a], n))
		}
	}
	return p
}

// padIndex is which of n elements lies at position i, −1 for the value.
func (c *call) padIndex(p *padding, axis, i, n int) int {
	if p.mode != "constant" && min(p.start[axis], p.end[axis]) < 0 {
		c.refuse("pads", "", "they are %d and %d at axis %d in mode %s, expected none below 0", p.start[axis], p.end[axis], axis, p.mode)
	}
	switch inside := i >= 0 && i < n; {
	case inside:
		return i
	case p.mode == "constant":
		return -1
	case p.mode == "edge" && n > 0:
		return min(max(i, 0), n-1)
	case p.mode == "reflect" && max(p.start[axis], p.end[axis]) < n:
		if i < 0 {
			return -i
		}
		return 2*(n-1) - i
	case p.mode == "wrap" && c.opset >= 19 && max(p.start[axis], p.end[axis]) <= n:
		return (i + n) % n
	}
	c.refuse("mode", "", "%s padding of %d elements by %d and %d is not supported", p.mode, n, p.start[axis], p.end[axis])
	return 0
}

func padNode(c *call) *value {
	p := c.pads()
	var axes []int
	for a := range p.start {
		if p.start[a] != 0 || p.end[a] != 0 {
			axes = append(axes, a)
		}
	}
	l := c.along(0, axes...)
	if p.mode != "constant" {
		x := l.x
		for _, a := range axes {
			x = gather(x, l.axis(a), p.index[a])
		}
		return l.wrap(x)
	}
	start, end := map[int]int{}, map[int]int{}
	for _, a := range axes {
		start[l.axis(a)], end[l.axis(a)] = p.start[a], p.end[a]
	}
	if sizeOf(p.dims) == 0 {
		c.refuse("pads", "", "nothing is left")
	}
	with := ScalarZero(l.x.Graph(), l.x.DType())
	if p.value != nil {
		with = ConstTensor(l.x.Graph(), p.value.reshaped().device())
	}
	return l.wrap(frame(l.x, with, start, end))
}
