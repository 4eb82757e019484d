package onnx

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/xslices"

	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() {
	register(7, func(c *call) *value {
		c.ignore("storage_order") // of the indices, which are refused
		x, axes := c.spatial()
		w := c.pool(x, axes)
		b := block.Window{K: w.kernel[0], Stride: w.strides[0]}
		if w.square() && w.even() && w.start[0] < w.kernel[0] && w.ceil == [2]int{} {
			b.Pad = w.start[0]
			return c.fromSpatial(b.Max(x), axes)
		}
		x = w.framed(x, Infinity(x.Graph(), x.DType(), -1))
		if w.square() {
			return c.fromSpatial(b.Max(x), axes)
		}
		var y *Node
		for _, v := range w.views(x) { // the first of equal ones has the gradient
			if y == nil {
				y = v
				continue
			}
			y = Where(GreaterThan(v, y), v, y)
		}
		return c.fromSpatial(y, axes)
	}, nil, "MaxPool")
	register(7, func(c *call) *value {
		counted := countInside
		if c.bool("count_include_pad", false) {
			counted = countPadded
		}
		if c.rank(0) == 5 {
			return c.mean3(counted)
		}
		x, axes := c.spatial()
		w := c.pool(x, axes)
		return c.fromSpatial(c.mean(w, x, counted), axes)
	}, nil, "AveragePool")
	register(7, func(c *call) *value {
		p := c.int("p", 2)
		x, axes := c.spatial()
		w := c.pool(x, axes)
		return c.fromSpatial(c.rooted(c.mean(w, c.power(x, p), countOne), p), axes)
	}, nil, "LpPool")
	global := func(name string, f func(c *call, x *Node, axes []int) *Node) {
		register(7, func(c *call) *value {
			if c.rank(0) < 3 || !c.value(0).kind.IsFloat() {
				c.refuse("", "", "its input is %v %v, expected [N,C,…] of floating type", c.in[0].kind, c.dims(0))
			}
			axes := xslices.Iota(2, c.rank(0)-2)
			l := c.along(0, axes...)
			return l.wrap(f(c, l.x, l.axes(axes)))
		}, nil, name)
	}
	global("GlobalAveragePool", func(_ *call, x *Node, axes []int) *Node { return ReduceAndKeep(x, ReduceMean, axes...) })
	global("GlobalMaxPool", func(_ *call, x *Node, axes []int) *Node { return shared(ReduceMax)(x, axes) })
	global("GlobalLpPool", func(c *call, x *Node, axes []int) *Node {
		p := c.int("p", 2)
		return c.rooted(ReduceAndKeep(c.power(x, p), ReduceSum, axes...), p)
	})
}

// pool is the geometry of a pool of x [images·N,H,W,C].
func (c *call) pool(x *Node, axes int) window {
	kernel := c.list("kernel_shape")
	if kernel == nil {
		c.refuse("kernel_shape", "", "it is missing")
	}
	return c.window(kernel, axes, [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}, c.bool("ceil_mode", false))
}

// mean3 is AveragePool of [N,C,D,H,W], one axis after the other: torch writes
// nn.LocalResponseNorm so.
func (c *call) mean3(counted int) *value {
	x := c.plain(0)
	if !x.DType().IsFloat() {
		c.refuse("", "", "its input is %v, expected a floating type", x.DType())
	}
	for i, s := range c.spans(c.list("kernel_shape"), c.dims(0)[2:], c.bool("ceil_mode", false)) {
		x = c.meanAlong(s, x, 3+i, counted)
	}
	return c.out(x)
}

// What the sum of a window is divided by. What ceil_mode adds behind the padding never
// counts.
const (
	countInside = iota // elements inside the image
	countPadded        // and inside the padding
	countOne           // 1: it stays a sum
)

// mean is the mean of windows of x [B,H,W,C]: a matrix for each axis, whose rows say what
// counts how much.
func (c *call) mean(w window, x *Node, counted int) *Node {
	if k := w.kernel; k == w.strides && k[0] == k[1] && w.dilations == [2]int{1, 1} && w.start == [2]int{} && w.end == [2]int{} && w.ceil == [2]int{} && counted != countOne {
		return block.PoolMean(x, k[0])
	}
	for k := range 2 {
		x = c.meanAlong(w.span(k), x, k+1, counted)
	}
	return x
}

// meanAlong is mean along one axis.
func (c *call) meanAlong(s span, x *Node, axis, counted int) *Node {
	size := x.Shape().Dim(axis)
	if s.kernel == 1 && s.stride == 1 && s.n == size {
		return x
	}
	c.spend(size * s.n)
	m := newTensor(x.DType(), s.n, size)
	for i := range s.n {
		first, count := i*s.stride-s.start, 0
		for j := range s.kernel {
			at := first + j*s.dilation
			if at >= 0 && at < size || counted == countPadded && at < size+s.end {
				count++
			}
		}
		if counted == countOne {
			count = 1
		}
		for j := range s.kernel {
			if at := first + j*s.dilation; at >= 0 && at < size {
				m.setFloat(i*size+at, m.float(i*size+at)+1/float64(count))
			}
		}
	}
	return byMatrix(x, axis, m)
}

// byMatrix multiplies an axis of x by a matrix [to,from].
func byMatrix(x *Node, axis int, m *tensor) *Node {
	y := DotGeneral(x, []int{axis}, nil, ConstTensor(x.Graph(), m.device()), []int{1}, nil) // the axis comes last
	order := make([]int, x.Rank())
	for a := range order {
		switch {
		case a < axis:
			order[a] = a
		case a == axis:
			order[a] = x.Rank() - 1
		default:
			order[a] = a - 1
		}
	}
	return TransposeAllAxes(y, order...)
}

// power is |x|ᵖ and rooted its inverse, for p of 1 and 2.
func (c *call) power(x *Node, p int) *Node {
	switch p {
	case 1:
		return Abs(x)
	case 2:
		return Square(x)
	}
	c.refuse("p", "", "it is %d, expected 1 or 2", p)
	return nil
}

func (c *call) rooted(x *Node, p int) *Node {
	if p == 1 {
		return x
	}
	return Sqrt(x)
}
