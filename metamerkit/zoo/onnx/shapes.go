package onnx

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Operators that change the shape and leave each element as it is.
func init() {
	for name, f := range map[string]struct {
		since int
		dims  func(c *call) []int
	}{
		"Reshape": {7, reshapeDims}, "Flatten": {7, flattenDims}, "Squeeze": {7, squeezeDims}, "Unsqueeze": {7, unsqueezeDims},
	} {
		register(f.since, func(c *call) *value {
			dims := f.dims(c)
			return c.out(Reshape(c.plain(0), append([]int{c.imagesOf(0)}, dims...)...))
		}, func(c *call) *tensor {
			dims := f.dims(c)
			return c.host(0).reshaped(dims...)
		}, name)
	}
	register(7, transpose, func(c *call) *tensor {
		a, perm := c.host(0), c.perm()
		dims := make([]int, len(perm))
		for i, p := range perm {
			dims[i] = a.dims[p]
		}
		return c.take(a, dims, func(at, source []int) {
			for i, p := range perm {
				source[p] = at[i]
			}
		})
	}, "Transpose")
	register(8, func(c *call) *value {
		dims := c.broadcastDims(c.dims(0), c.ints(1))
		c.affordable(dims)
		x := c.plain(0)
		n := x.Shape().Dim(0)
		x = Reshape(x, append([]int{n}, leading(c.dims(0), len(dims))...)...)
		return c.out(BroadcastToDims(x, append([]int{n}, dims...)...))
	}, func(c *call) *tensor {
		a := c.host(0)
		dims := c.broadcastDims(a.dims, c.ints(1))
		return c.take(a, dims, func(at, source []int) {
			for i := range source {
				if source[i] = 0; a.dims[i] != 1 {
					source[i] = at[len(dims)-len(a.dims)+i]
				}
			}
		})
	}, "Expand")
	register(7, func(c *call) *value {
		repeats, dims := c.repeats()
		c.affordable(dims)
		x := c.plain(0)
		for i, r := range repeats {
			if r > 1 {
				x = Concatenate(slices.Repeat([]*Node{x}, r), i+1)
			}
		}
		return c.out(x)
	}, func(c *call) *tensor {
		_, dims := c.repeats()
		a := c.host(0)
		return c.take(a, dims, func(at, source []int) {
			for i := range source {
				source[i] = at[i] % a.dims[i]
			}
		})
	}, "Tile")
}

// imagesOf is the first axis of input i's plain node.
func (c *call) imagesOf(i int) int {
	if c.value(i).varying {
		return c.images
	}
	return 1
}

// affordable refuses shapes that are too large before a node of them is made.
func (c *call) affordable(dims []int) { sizeOf(dims) }

func reshapeDims(c *call) []int {
	want, from := c.ints(1), c.dims(0)
	allowZero := c.opset >= 14 && c.bool("allowzero", false)
	size, known, open := sizeOf(from), 1, -1
	dims := slices.Clone(want)
	for i, d := range want {
		switch {
		case d == -1 && open < 0:
			open = i
			continue
		case d == 0 && !allowZero:
			if i >= len(from) {
				c.refuse(c.inputName(1), "", "it is %v for the shape %v", want, from)
			}
			dims[i] = from[i]
		case d < 0:
			c.refuse(c.inputName(1), "", "it is %v", want)
		}
		if dims[i] > 0 && known > maxElements/dims[i] {
			c.refuse(c.inputName(1), "", "it is %v", want)
		}
		known *= dims[i]
	}
	if open >= 0 {
		if known == 0 || size%known != 0 {
			c.refuse(c.inputName(1), "", "it is %v for the shape %v", want, from)
		}
		dims[open] = size / known
		known = size
	}
	if known != size {
		c.refuse(c.inputName(1), hintConstant, "it is %v for the shape %v", want, from)
	}
	return dims
}

func flattenDims(c *call) []int {
	from := c.dims(0)
	a := c.int("axis", 1)
	if a < 0 && c.opset >= 11 {
		a += len(from)
	}
	if a < 0 || a > len(from) {
		c.refuse("axis", "", "it is %d for the shape %v", a, from)
	}
	return []int{sizeOf(from[:a]), sizeOf(from[a:])}
}

// axesOf reads axes, an attribute up to some opset and then input i. nil: left out.
func (c *call) axesOf(i, inputSince int) []int {
	if c.opset < inputSince {
		return c.list("axes")
	}
	if !c.has(i) {
		return nil
	}
	return append([]int{}, c.ints(i)...)
}

func squeezeDims(c *call) (dims []int) {
	from := c.dims(0)
	axes := c.axesOf(1, 13)
	if axes == nil {
		for a, d := range from {
			if d == 1 {
				axes = append(axes, a)
			}
		}
	}
	axes = c.axes("axes", axes, len(from))
	for a, d := range from {
		if !slices.Contains(axes, a) {
			dims = append(dims, d)
		} else if d != 1 {
			c.refuse("axes", "", "axis %d of the shape %v is not 1", a, from)
		}
	}
	return dims
}

func unsqueezeDims(c *call) (dims []int) {
	from := c.dims(0)
	axes := c.axesOf(1, 13)
	rank := len(from) + len(axes)
	axes = c.axes("axes", axes, rank)
	for a := range rank {
		if slices.Contains(axes, a) {
			dims = append(dims, 1)
		} else {
			dims, from = append(dims, from[0]), from[1:]
		}
	}
	return dims
}

// perm is the order of axes that Transpose makes.
func (c *call) perm() []int {
	rank := c.rank(0)
	p := c.list("perm")
	if p == nil {
		for i := range rank {
			p = append(p, rank-1-i)
		}
	}
	if len(p) != rank {
		c.refuse("perm", "", "it is %v for the shape %v", p, c.dims(0))
	}
	for i, a := range p {
		if a < 0 || a >= rank || slices.Contains(p[:i], a) {
			c.refuse("perm", "", "it is %v for the shape %v", p, c.dims(0))
		}
	}
	return p
}

func transpose(c *call) *value {
	perm, v := c.perm(), c.value(0)
	switch {
	case v.last && slices.Equal(perm, []int{0, 2, 3, 1}): // it lies so already
		return c.varyingValue(Reshape(v.node, c.images, v.dims[0], v.dims[2], v.dims[3], v.dims[1]))
	case v.varying && !v.last && slices.Equal(perm, []int{0, 3, 1, 2}):
		return c.imagesValue(Reshape(v.node, c.images*v.dims[0], v.dims[1], v.dims[2], v.dims[3]))
	}
	return c.out(TransposeAllAxes(c.plain(0), append([]int{0}, shift(perm)...)...))
}

func (c *call) repeats() (repeats, dims []int) {
	repeats, dims = c.ints(1), slices.Clone(c.dims(0))
	if len(repeats) != len(dims) {
		c.refuse(c.inputName(1), "", "it is %v for the shape %v", repeats, dims)
	}
	for i, r := range repeats {
		if r < 1 || r > maxElements {
			c.refuse(c.inputName(1), "", "it is %v, expected numbers above 0", repeats)
		}
		dims[i] *= r
	}
	sizeOf(dims)
	return repeats, dims
}

// iotaLike is the position along an axis, in the shape of x, as int32.
func iotaLike(x *Node, axis int) *Node {
	s := x.Shape().Clone()
	s.DType = dtypes.Int32
	return Iota(x.Graph(), s, axis)
}
