package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/gomlx/support/xslices"
)

// slices are the starts, counts and steps of Slice on all axes.
func (c *call) slices() (starts, counts, steps []int) {
	dims := c.dims(0)
	var from, to, axes, by []int
	if c.opset < 10 {
		from, to, axes = c.list("starts"), c.list("ends"), c.list("axes")
	} else {
		from, to = c.ints(1), c.ints(2)
		if c.has(3) {
			axes = c.ints(3)
		}
		if c.has(4) {
			by = c.ints(4)
		}
	}
	if axes == nil {
		axes = xslices.Iota(0, len(from))
	}
	if by == nil {
		by = slices.Repeat([]int{1}, len(from))
	}
	if len(to) != len(from) || len(axes) != len(from) || len(by) != len(from) {
		c.refuse("", "", "starts %v, ends %v, axes %v and steps %v are not as many", from, to, axes, by)
	}
	axes = c.axes("axes", axes, len(dims))
	starts, counts, steps = make([]int, len(dims)), slices.Clone(dims), slices.Repeat([]int{1}, len(dims))
	for i, a := range axes {
		n, step := dims[a], by[i]
		if step == 0 || step < -math.MaxInt32 {
			c.refuse("", "", "a step is %d", step)
		}
		bound := func(v, low, high int) int {
			if v < 0 {
				v += n // the least integer stays far below
			}
			return max(min(v, high), low)
		}
		start, end := bound(from[i], 0, n), bound(to[i], 0, n)
		if step < 0 {
			start, end = bound(from[i], 0, n-1), bound(to[i], -1, n-1)
		}
		count := 0
		if step > 0 && end > start {
			count = (end - start + step - 1) / step
			if step > n {
				count = 1
			}
		} else if step < 0 && end < start {
			count = (start - end - step - 1) / -step
		}
		starts[a], counts[a], steps[a] = start, count, step
	}
	return starts, counts, steps
}

func (c *call) splits() (axis int, sizes []int) {
	dims := c.dims(0)
	axis = c.axis("axis", c.int("axis", 0), len(dims))
	if c.opset < 13 {
		sizes = c.list("split")
	} else if c.has(1) {
		sizes = c.ints(1)
	}
	n := len(c.n.Output)
	if c.opset >= 18 {
		n = c.int("num_outputs", n)
	}
	if sizes == nil {
		if n < 1 || n > maxNodes {
			c.refuse("num_outputs", "", "it is %d", n)
		}
		chunk := (dims[axis] + n - 1) / n
		if c.opset < 18 && dims[axis]%n != 0 {
			c.refuse("split", "", "%d elements do not split into %d equal parts", dims[axis], n)
		}
		for left := dims[axis]; len(sizes) < n; left -= chunk {
			sizes = append(sizes, max(min(chunk, left), 0))
		}
	}
	sum := 0
	for _, s := range sizes {
		if s < 0 || s > dims[axis] {
			c.refuse("split", "", "it is %v for %d elements", sizes, dims[axis])
		}
		sum += s
	}
	if sum != dims[axis] || len(sizes) != len(c.n.Output) {
		c.refuse("split", "", "it is %v for %d elements and %d outputs", sizes, dims[axis], len(c.n.Output))
	}
	return axis, sizes
}
