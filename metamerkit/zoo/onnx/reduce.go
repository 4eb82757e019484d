package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/xslices"
)

func init() {
	keep := func(f func(x *Node, axes ...int) *Node) func(x *Node, axes []int) *Node {
		return func(x *Node, axes []int) *Node { return ReduceAndKeep(x, f, axes...) }
	}
	for _, o := range []struct {
		name       string
		axesInputs int // since which opset axes are an input
		draw       func(x *Node, axes []int) *Node
		fold       func(a *tensor, of []int) float64
	}{
		{"ReduceSum", 13, keep(ReduceSum), func(a *tensor, of []int) float64 { return total(a, of) }},
		{"ReduceMean", 18, keep(ReduceMean), func(a *tensor, of []int) float64 { return total(a, of) / float64(len(of)) }},
		{"ReduceMax", 18, shared(ReduceMax), func(a *tensor, of []int) float64 { return extreme(a, of, math.Max) }},
		{"ReduceMin", 18, shared(ReduceMin), func(a *tensor, of []int) float64 { return extreme(a, of, math.Min) }},
		{"ReduceProd", 18, product, func(a *tensor, of []int) float64 {
			p := 1.0
			for _, i := range of {
				p *= a.float(i)
			}
			return p
		}},
		{"ReduceSumSquare", 18, func(x *Node, axes []int) *Node { return ReduceAndKeep(Square(x), ReduceSum, axes...) }, nil},
		{"ReduceL1", 18, func(x *Node, axes []int) *Node { return ReduceAndKeep(Abs(x), ReduceSum, axes...) }, nil},
		{"ReduceL2", 18, func(x *Node, axes []int) *Node { return Sqrt(ReduceAndKeep(Square(x), ReduceSum, axes...)) }, nil},
		{"ReduceLogSum", 18, func(x *Node, axes []int) *Node { return Log(ReduceAndKeep(x, ReduceSum, axes...)) }, nil},
		{"ReduceLogSumExp", 18, logSumExp, nil},
	} {
		var fold func(c *call) *tensor
		if o.fold != nil {
			fold = func(c *call) *tensor { return c.foldReduce(o.axesInputs, o.fold) }
		}
		register(7, func(c *call) *value {
			return c.reduce(o.axesInputs, o.draw)
		}, fold, o.name)
	}
	register(7, func(c *call) *value {
		return c.softmax(func(x *Node, axes []int) *Node {
			e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, axes...))))
			return Mul(e, Reciprocal(ReduceAndKeep(e, ReduceSum, axes...)))
		})
	}, nil, "Softmax")
	register(7, func(c *call) *value {
		return c.softmax(func(x *Node, axes []int) *Node {
			x = Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, axes...)))
			return Sub(x, Log(ReduceAndKeep(Exp(x), ReduceSum, axes...)))
		})
	}, nil, "LogSoftmax")
	register(7, func(c *call) *value { return c.best(ArgMax) }, nil, "ArgMax")
	register(7, func(c *call) *value { return c.best(ArgMin) }, nil, "ArgMin")
	register(11, cumSum, nil, "CumSum")
}

// shared is ReduceMax or ReduceMin whose gradient goes in equal parts to all elements
// that have the extreme value, as in torch.amax. GoMLX gives each of them all of it.
func shared(f func(x *Node, axes ...int) *Node) func(x *Node, axes []int) *Node {
	return func(x *Node, axes []int) *Node {
		x = IdentityWithCustomGradient(x, func(x, v *Node) *Node {
			ties := ConvertDType(Equal(x, ReduceAndKeep(x, f, axes...)), v.DType())
			return Div(v, MaxScalar(ReduceAndKeep(ties, ReduceSum, axes...), 1))
		})
		return ReduceAndKeep(x, f, axes...)
	}
}

// product multiplies along each axis, the first half by the second, so that no factor of 0
// harms the gradient of another.
func product(x *Node, axes []int) *Node {
	for _, a := range axes {
		for n := x.Shape().Dim(a); n > 1; n = x.Shape().Dim(a) {
			half := n / 2
			y := Mul(slice(x, a, 0, half, 1), slice(x, a, half, half, 1))
			if n%2 == 1 {
				y = Concatenate([]*Node{y, slice(x, a, n-1, 1, 1)}, a)
			}
			x = y
		}
	}
	return x
}

func total(a *tensor, of []int) (sum float64) {
	for _, i := range of {
		sum += a.float(i)
	}
	return sum
}

func extreme(a *tensor, of []int, pick func(x, y float64) float64) float64 {
	best := a.float(of[0])
	for _, i := range of[1:] {
		best = pick(best, a.float(i))
	}
	return best
}

// logSumExp subtracts the largest first, which leaves the gradient as it is.
func logSumExp(x *Node, axes []int) *Node {
	most := StopGradient(ReduceAndKeep(x, ReduceMax, axes...))
	return Add(Log(ReduceAndKeep(Exp(Sub(x, most)), ReduceSum, axes...)), most)
}

// reduction reads what all reductions have in common. Empty axes: nothing is reduced.
func (c *call) reduction(inputSince int) (axes []int, keep bool) {
	rank := c.rank(0)
	axes, keep = c.axesOf(1, inputSince), c.bool("keepdims", true)
	none := false
	if c.opset >= inputSince {
		none = c.bool("noop_with_empty_axes", false)
	}
	if len(axes) == 0 && !none {
		axes = xslices.Iota(0, rank)
	}
	axes = c.axes("axes", axes, rank)
	slices.Sort(axes)
	return axes, keep
}

// less are dims without the axes, or with 1 there.
func less(dims, axes []int, keep bool) (out []int) {
	for a, d := range dims {
		switch {
		case !slices.Contains(axes, a):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

func (c *call) reduce(inputSince int, f func(x *Node, axes []int) *Node) *value {
	axes, keep := c.reduction(inputSince)
	if k := c.value(0).kind; !k.IsFloat() {
		c.refuse("", "", "reductions of %v that depend on the image are not supported", k)
	}
	if len(axes) == 0 && c.rank(0) > 0 && slices.Contains([]string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"}, c.n.OpType) {
		return c.in[0]
	}
	if len(axes) == 0 {
		c.refuse("axes", "", "there are none")
	}
	l := c.along(0, axes...)
	v := l.wrap(f(l.x, l.axes(axes)))
	if keep {
		return v
	}
	return c.out(Reshape(c.drawing.plain(v), append([]int{c.imagesOf(0)}, less(c.dims(0), axes, false)...)...))
}

func (c *call) foldReduce(inputSince int, f func(a *tensor, of []int) float64) *tensor {
	axes, keep := c.reduction(inputSince)
	a := c.host(0)
	full := newTensor(a.kind, less(a.dims, axes, true)...)
	if a.kind == dtypes.Bool || a.size() == 0 {
		c.refuse("", "", "its input is %v %v", a.kind, a.dims)
	}
	// Which elements of a fall together.
	of := make([][]int, full.size())
	at := make([]int, len(a.dims))
	for i := range a.size() {
		j := 0
		for k, p := range at {
			if slices.Contains(axes, k) {
				p = 0
			}
			j = j*full.dims[k] + p
		}
		of[j] = append(of[j], i)
		advance(at, a.dims)
	}
	for j := range of {
		full.set(j, f(a, of[j]))
	}
	return full.reshaped(less(a.dims, axes, keep)...)
}

// softmax works along one axis or, before opset 13, along all from one on.
func (c *call) softmax(f func(x *Node, axes []int) *Node) *value {
	rank := c.rank(0)
	if rank == 0 || !c.in[0].kind.IsFloat() {
		c.refuse("", "", "its input is %v %v, expected a floating type", c.in[0].kind, c.in[0].dims)
	}
	var axes []int
	if c.opset >= 13 {
		axes = []int{c.axis("axis", c.int("axis", -1), rank)}
	} else {
		first := c.int("axis", 1)
		if first == rank { // each element is alone
			c.refuse("axis", "", "it is %d for %d axes", first, rank)
		}
		at := c.axis("axis", first, rank)
		axes = xslices.Iota(at, rank-at)
	}
	l := c.along(0, axes...)
	return l.wrap(f(l.x, l.axes(axes)))
}

// best is ArgMax or ArgMin: the first of equal ones.
func (c *call) best(f func(x *Node, axis int, kind ...dtypes.DType) *Node) *value {
	axis := c.axis("axis", c.int("axis", 0), c.rank(0))
	keep := c.bool("keepdims", true)
	if c.bool("select_last_index", false) {
		c.refuse("select_last_index", "", "it is 1, expected 0")
	}
	if !c.in[0].kind.IsFloat() {
		c.refuse("", "", "its input is %v, expected a floating type", c.in[0].kind)
	}
	x := StopGradient(c.plain(0))
	dims := less(c.dims(0), []int{axis}, keep)
	y := f(x, axis+1, dtypes.Int64)
	return c.out(Reshape(y, append([]int{c.imagesOf(0)}, dims...)...))
}

// cumSum multiplies an axis by a matrix of ones and zeros.
func cumSum(c *call) *value {
	axis := c.axis("axis", int(c.number(1)), c.rank(0))
	exclusive, reverse := c.bool("exclusive", false), c.bool("reverse", false)
	if !c.in[0].kind.IsFloat() {
		c.refuse("", "", "its input is %v, expected a floating type", c.in[0].kind)
	}
	n := c.dims(0)[axis]
	c.spend(sizeOf([]int{n, n}))
	m := newTensor(c.in[0].kind, n, n)
	for i := range n {
		for j := range n {
			if d := i - j; d == 0 && !exclusive || d > 0 && !reverse || d < 0 && reverse {
				m.setFloat(i*n+j, 1)
			}
		}
	}
	return c.out(byMatrix(c.plain(0), axis+1, m))
}
