package onnx

import (
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// Operators that pick or join elements.
func init() {
	register(7, func(c *call) *value {
		axis, dims := c.concatAxis()
		if c.keepsLastConcat(axis, dims) {
			var parts []*Node
			for _, v := range c.in {
				parts = append(parts, c.channelsLast(v))
			}
			return c.imagesValue(Concatenate(parts, [4]int{0, 3, 1, 2}[axis]))
		}
		images := 1
		if c.varying() {
			images = c.images
		}
		var parts []*Node
		for i, v := range c.in {
			if sizeOf(v.dims) == 0 {
				continue
			}
			x := c.plain(i)
			if x.Shape().Dim(0) != images {
				x = BroadcastToDims(x, append([]int{images}, v.dims...)...)
			}
			parts = append(parts, x)
		}
		if len(parts) == 1 {
			return c.out(parts[0])
		}
		return c.out(Concatenate(parts, axis+1))
	}, func(c *call) *tensor {
		axis, dims := c.concatAxis()
		out := newTensor(c.host(0).kind, dims...)
		c.spend(out.size())
		outer, at := sizeOf(dims[:axis]), 0
		for k := range outer {
			for i := range c.in {
				a := c.host(i)
				n := a.size() / max(outer, 1)
				for j := range n {
					out.copyFrom(at, a, k*n+j)
					at++
				}
			}
		}
		return out
	}, "Concat")
	register(7, func(c *call) *value {
		starts, counts, steps := c.slices()
		var axes []int
		for a, d := range c.dims(0) {
			if counts[a] != d || steps[a] != 1 {
				axes = append(axes, a)
			}
			if counts[a] == 0 {
				c.refuse("", "", "the slice is empty")
			}
		}
		l := c.along(0, axes...)
		x := l.x
		for _, a := range axes {
			x = slice(x, l.axis(a), starts[a], counts[a], steps[a])
		}
		return l.wrap(x)
	}, func(c *call) *tensor {
		starts, counts, steps := c.slices()
		return c.take(c.host(0), counts, func(at, source []int) {
			for i := range source {
				source[i] = starts[i] + at[i]*steps[i]
			}
		})
	}, "Slice")
	operators["Split"] = operator{since: 7, until: newest, run: func(c *call) (outs []*value) {
		axis, sizes := c.splits()
		l := c.along(0, axis)
		at := 0
		for _, n := range sizes {
			if n == 0 {
				c.refuse("", "", "it splits off nothing: %v", sizes)
			}
			outs = append(outs, l.wrap(slice(l.x, l.axis(axis), at, n, 1)))
			at += n
		}
		return outs
	}, fold: func(c *call) (outs []*tensor) {
		axis, sizes := c.splits()
		first := 0
		for _, n := range sizes {
			dims := slices.Clone(c.dims(0))
			dims[axis] = n
			outs = append(outs, c.take(c.host(0), dims, func(at, source []int) {
				copy(source, at)
				source[axis] += first
			}))
			first += n
		}
		return outs
	}}
	register(7, func(c *call) *value {
		axis, index, dims := c.gatherIndex()
		if len(index) == 0 {
			c.refuse(c.inputName(1), "", "it is empty")
		}
		l := c.along(0, axis)
		v := l.wrap(gather(l.x, l.axis(axis), index))
		return c.out(Reshape(c.drawing.plain(v), append([]int{c.imagesOf(0)}, dims...)...))
	}, func(c *call) *tensor {
		axis, index, dims := c.gatherIndex()
		flat := slices.Clone(c.dims(0))
		flat[axis] = len(index)
		return c.take(c.host(0), flat, func(at, source []int) {
			copy(source, at)
			source[axis] = index[at[axis]]
		}).reshaped(dims...)
	}, "Gather")
	register(14, func(c *call) *value {
		upper, k := c.trilu()
		x := c.plain(0)
		row, column := iotaLike(x, x.Rank()-2), iotaLike(x, x.Rank()-1)
		keep := GreaterOrEqual(column, AddScalar(row, k))
		if !upper {
			keep = LessOrEqual(column, AddScalar(row, k))
		}
		return c.out(Where(keep, x, ZerosLike(x)))
	}, func(c *call) *tensor {
		upper, k := c.trilu()
		a := c.host(0)
		out := newTensor(a.kind, a.dims...)
		rows, columns := a.dims[len(a.dims)-2], a.dims[len(a.dims)-1]
		for i := range out.size() {
			d := i%columns - i/columns%rows - k
			if upper && d >= 0 || !upper && d <= 0 {
				out.copyFrom(i, a, i)
			}
		}
		return out
	}, "Trilu")
}

func (c *call) concatAxis() (axis int, dims []int) {
	if len(c.in) == 0 {
		c.refuse("", "", "it has no inputs")
	}
	dims = slices.Clone(c.dims(0))
	axis = c.axis("axis", c.int("axis", math.MinInt), len(dims))
	for i := range c.in[1:] {
		d := c.dims(i + 1)
		if len(d) != len(dims) || c.in[i+1].kind != c.in[0].kind {
			c.refuse(c.inputName(i+1), "", "it is %v %v beside %v %v", c.in[i+1].kind, d, c.in[0].kind, dims)
		}
		for a := range d {
			if a != axis && d[a] != dims[a] {
				c.refuse(c.inputName(i+1), "", "its shape is %v beside %v", d, dims)
			}
		}
		dims[axis] += d[axis]
	}
	sizeOf(dims)
	return axis, dims
}

func (c *call) keepsLastConcat(axis int, dims []int) bool {
	if len(dims) != 4 || axis == 0 || !slices.ContainsFunc(c.in, func(v *value) bool { return v.last }) {
		return false
	}
	return !slices.ContainsFunc(c.in, func(v *value) bool { return !v.varying || sizeOf(v.dims) == 0 })
}

func (c *call) gatherIndex() (axis int, index, dims []int) {
	from := c.dims(0)
	axis = c.axis("axis", c.int("axis", 0), len(from))
	t := c.host(1)
	if t.isFloat() {
		c.refuse(c.inputName(1), "", "it is %v, expected integers", t.kind)
	}
	dims = append(append(slices.Clone(from[:axis]), t.dims...), from[axis+1:]...)
	for _, v := range t.ints {
		if v < 0 {
			v += int64(from[axis])
		}
		if v < 0 || v >= int64(from[axis]) {
			c.refuse(c.inputName(1), "", "it holds %d for %d elements", v, from[axis])
		}
		index = append(index, int(v))
	}
	sizeOf(dims)
	return axis, index, dims
}

func (c *call) trilu() (upper bool, k int) {
	if c.rank(0) < 2 {
		c.refuse("", "", "its input has the shape %v, expected a matrix", c.dims(0))
	}
	if c.has(1) {
		k = int(c.number(1))
	}
	return c.bool("upper", true), k
}
