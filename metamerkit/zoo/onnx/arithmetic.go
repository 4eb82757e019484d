package onnx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	for _, o := range []struct {
		name   string
		draw   func(a, b *Node) *Node
		floats func(a, b float64) float64
		ints   func(c *call, a, b int64) int64
	}{
		{"Add", Add, func(a, b float64) float64 { return a + b }, func(_ *call, a, b int64) int64 { return a + b }},
		{"Sub", Sub, func(a, b float64) float64 { return a - b }, func(_ *call, a, b int64) int64 { return a - b }},
		{"Mul", Mul, func(a, b float64) float64 { return a * b }, func(_ *call, a, b int64) int64 { return a * b }},
		{"Div", Div, func(a, b float64) float64 { return a / b }, divide},
	} {
		register(7, func(c *call) *value {
			c.expect(2)
			return c.elementwise(func(x []*Node) *Node { return o.draw(x[0], x[1]) })
		}, func(c *call) *tensor {
			c.expect(2)
			return c.combine(o.floats, func(a, b int64) int64 { return o.ints(c, a, b) })
		}, o.name)
	}
	register(7, pow, func(c *call) *tensor {
		c.expect(2)
		a, b := c.host(0), c.host(1)
		out := newTensor(a.kind, c.broadcastDims(a.dims, b.dims)...)
		return c.each(out, func(i int, at []int) {
			v := math.Pow(a.float(at[0]), b.float(at[1]))
			if out.isFloat() {
				out.setFloat(i, v)
			} else {
				out.setInt(i, int64(v))
			}
		})
	}, "Pow")
	register(7, func(c *call) *value { return c.extreme(larger, shared(ReduceMax)) },
		func(c *call) *tensor {
			return c.reduceInputs(math.Max, func(a, b int64) int64 { return max(a, b) })
		}, "Max")
	register(7, func(c *call) *value { return c.extreme(smaller, shared(ReduceMin)) },
		func(c *call) *tensor {
			return c.reduceInputs(math.Min, func(a, b int64) int64 { return min(a, b) })
		}, "Min")
	register(7, func(c *call) *value { return c.variadic(Add, nil) }, nil, "Sum")
	register(7, func(c *call) *value {
		return c.variadic(Add, func(x *Node) *Node { return MulScalar(x, 1/float64(len(c.in))) })
	}, nil, "Mean")
	register(10, nodeMod, func(c *call) *tensor {
		c.expect(2)
		fmod := c.bool("fmod", false)
		return c.combine(func(a, b float64) float64 {
			if !fmod {
				c.refuse("fmod", "", "it is 0 for numbers of floating type, expected 1")
			}
			return math.Mod(a, b)
		}, func(a, b int64) int64 {
			if b == 0 {
				c.refuse("", "", "the divisor is 0")
			}
			r := a % b
			if !fmod && r != 0 && (r < 0) != (b < 0) {
				r += b
			}
			return r
		})
	}, "Mod")
}

// expect checks the number of inputs.
func (c *call) expect(n int) {
	if len(c.in) != n {
		c.refuse("", "", "%d inputs, expected %d", len(c.in), n)
	}
	for i := range n {
		c.value(i)
	}
}

func divide(c *call, a, b int64) int64 {
	if b == 0 {
		c.refuse("", "", "the divisor is 0")
	}
	return a / b // towards zero, as ONNX has it
}

// combine folds two constants of one type.
func (c *call) combine(floats func(a, b float64) float64, ints func(a, b int64) int64) *tensor {
	a, b := c.host(0), c.host(1)
	if a.kind != b.kind || a.kind == dtypes.Bool {
		c.refuse("", "", "its inputs are %v and %v, expected numbers of one type", a.kind, b.kind)
	}
	out := newTensor(a.kind, c.broadcastDims(a.dims, b.dims)...)
	if a.kind == dtypes.Uint64 {
		c.refuse("", "", "arithmetic of Uint64 is not supported")
	}
	return c.each(out, func(i int, at []int) {
		if out.isFloat() {
			out.setFloat(i, floats(a.float(at[0]), b.float(at[1])))
		} else {
			out.setInt(i, ints(a.ints[at[0]], b.ints[at[1]]))
		}
	})
}

// variadic combines any number of inputs, the first two first, and then applies last.
func (c *call) variadic(f func(a, b *Node) *Node, last func(x *Node) *Node) *value {
	for i := range c.in {
		c.value(i)
	}
	if len(c.in) == 0 {
		c.refuse("", "", "it has no inputs")
	}
	return c.elementwise(func(x []*Node) *Node {
		y := x[0]
		for _, b := range x[1:] {
			y = f(y, b)
		}
		if last != nil {
			y = last(y)
		}
		return y
	})
}

// reduceInputs folds any number of constants.
func (c *call) reduceInputs(floats func(a, b float64) float64, ints func(a, b int64) int64) *tensor {
	var shapes [][]int
	for i := range c.in {
		shapes = append(shapes, c.host(i).dims)
		if c.in[i].kind != c.in[0].kind || c.in[i].kind == dtypes.Uint64 {
			c.refuse("", "", "its inputs are of the types %v and %v, expected one signed type", c.in[0].kind, c.in[i].kind)
		}
	}
	if len(c.in) == 0 {
		c.refuse("", "", "it has no inputs")
	}
	out := newTensor(c.in[0].kind, c.broadcastDims(shapes...)...)
	return c.each(out, func(i int, at []int) {
		out.copyFrom(i, c.in[0].host, at[0])
		for k, v := range c.in[1:] {
			if out.isFloat() {
				out.setFloat(i, floats(out.float(i), v.host.float(at[k+1])))
			} else {
				out.setInt(i, ints(out.ints[i], v.host.ints[at[k+1]]))
			}
		}
	})
}

// extreme is Max or Min. Of three inputs and more it is the extreme value along an axis of
// its own, so that equal ones share the gradient in equal parts, as torch.amax of a stack.
func (c *call) extreme(pair func(a, b *Node) *Node, along func(x *Node, axes []int) *Node) *value {
	if len(c.in) < 3 || !c.in[0].kind.IsFloat() {
		return c.variadic(pair, nil)
	}
	return c.elementwise(func(x []*Node) *Node {
		all := Stack(same(x), -1)
		return Reshape(along(all, []int{all.Rank() - 1}), all.Shape().Dimensions[:all.Rank()-1]...)
	})
}

// larger and smaller are Max and Min whose gradient, where both are equal, goes to both
// in halves, as in PyTorch.
func larger(a, b *Node) *Node  { return choose(a, b, GreaterThan, Max) }
func smaller(a, b *Node) *Node { return choose(a, b, LessThan, Min) }

func choose(a, b *Node, first, value func(a, b *Node) *Node) *Node {
	if !a.DType().IsFloat() {
		return value(a, b)
	}
	x := same([]*Node{a, b})
	a, b = x[0], x[1]
	// NaN is never first and never equal: the half sum passes it on.
	half := Add(MulScalar(a, 0.5), MulScalar(b, 0.5))
	return Where(first(a, b), a, Where(first(b, a), b, half))
}

// pow writes small whole exponents out, whose gradient GoMLX takes by a logarithm.
func pow(c *call) *value {
	c.expect(2)
	base, exponent := c.in[0], c.in[1]
	if !base.kind.IsFloat() {
		c.refuse("", "", "powers of %v are not supported", base.kind)
	}
	if exponent.varying {
		c.refuse(c.inputName(1), "", "the exponent is computed from the image, expected a constant")
	}
	if exponent.host != nil && sizeOf(exponent.dims) == 1 && len(exponent.dims) <= len(base.dims) {
		e := c.number(1)
		switch e {
		case 0.5:
			return c.unary(Sqrt)
		case -0.5:
			return c.unary(func(x *Node) *Node { return Reciprocal(Sqrt(x)) })
		case -2, -1, 1, 2, 3, 4:
			return c.unary(func(x *Node) *Node {
				y := x
				for range int(math.Abs(e)) - 1 {
					y = Mul(y, x)
				}
				if e < 0 {
					y = Reciprocal(y)
				}
				return y
			})
		}
	}
	return c.elementwise(func(x []*Node) *Node {
		return Pow(x[0], StopGradient(ConvertDType(x[1], x[0].DType())))
	})
}

func nodeMod(c *call) *value {
	c.expect(2)
	fmod := c.bool("fmod", false)
	if !c.in[0].kind.IsFloat() || !fmod {
		c.refuse("", "", "remainders of values that depend on the image are supported for floating types and fmod 1 only")
	}
	return c.elementwise(func(x []*Node) *Node {
		a, b := x[0], x[1]
		q := StopGradient(Div(a, b))
		q = Where(LessThan(q, ZerosLike(q)), Ceil(q), Floor(q))
		return Sub(a, Mul(b, q))
	})
}
