package onnx

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() {
	for name, f := range map[string]struct {
		since int
		draw  func(c *call) func(x *Node) *Node
		fold  func(v float64) float64
	}{
		"Relu":       {7, plainly(stage.ReLU), func(v float64) float64 { return max(v, 0) }},
		"Sigmoid":    {7, plainly(Logistic), func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
		"Tanh":       {7, plainly(Tanh), math.Tanh},
		"Erf":        {9, plainly(Erf), math.Erf},
		"Exp":        {7, plainly(Exp), math.Exp},
		"Log":        {7, plainly(Log), math.Log},
		"Sqrt":       {7, plainly(Sqrt), math.Sqrt},
		"Reciprocal": {7, plainly(Reciprocal), func(v float64) float64 { return 1 / v }},
		"Sin":        {7, plainly(Sin), math.Sin},
		"Cos":        {7, plainly(Cos), math.Cos},
		"Tan":        {7, plainly(func(x *Node) *Node { return Div(Sin(x), Cos(x)) }), math.Tan},
		"Sinh":       {9, plainly(func(x *Node) *Node { return MulScalar(Sub(Exp(x), Exp(Neg(x))), 0.5) }), math.Sinh},
		"Cosh":       {9, plainly(func(x *Node) *Node { return MulScalar(Add(Exp(x), Exp(Neg(x))), 0.5) }), math.Cosh},
		"Softplus":   {7, plainly(softplus), nil},
		"Softsign":   {7, plainly(func(x *Node) *Node { return Div(x, AddScalar(Abs(x), 1)) }), nil},
		"Mish":       {18, plainly(func(x *Node) *Node { return Mul(x, Tanh(softplus(x))) }), nil},
		"HardSwish": {14, plainly(func(x *Node) *Node {
			return Mul(x, hardSigmoid(x, 1.0/6, 0.5))
		}), nil},
		"HardSigmoid": {7, func(c *call) func(x *Node) *Node {
			alpha, beta := c.float("alpha", 0.2), c.float("beta", 0.5)
			return func(x *Node) *Node { return hardSigmoid(x, alpha, beta) }
		}, nil},
		"LeakyRelu": {7, func(c *call) func(x *Node) *Node {
			alpha := c.float("alpha", 0.01)
			return func(x *Node) *Node { return negative(x, MulScalar(x, alpha)) }
		}, nil},
		"Elu": {7, func(c *call) func(x *Node) *Node {
			alpha := c.float("alpha", 1)
			return func(x *Node) *Node { return negative(x, MulScalar(expm1(x), alpha)) }
		}, nil},
		"Selu": {7, func(c *call) func(x *Node) *Node {
			alpha, gamma := c.float("alpha", 1.67326319217681884765625), c.float("gamma", 1.05070102214813232421875)
			return func(x *Node) *Node { return MulScalar(negative(x, MulScalar(expm1(x), alpha)), gamma) }
		}, nil},
		"Celu": {12, func(c *call) func(x *Node) *Node {
			alpha := c.float("alpha", 1)
			return func(x *Node) *Node {
				return negative(x, MulScalar(expm1(MulScalar(x, 1/alpha)), alpha))
			}
		}, nil},
		"ThresholdedRelu": {10, func(c *call) func(x *Node) *Node {
			alpha := c.float("alpha", 1)
			return func(x *Node) *Node {
				return Where(LessOrEqual(x, MulScalar(OnesLike(x), alpha)), ZerosLike(x), x)
			}
		}, nil},
		"Gelu": {20, func(c *call) func(x *Node) *Node {
			switch a := c.text("approximate", "none"); a {
			case "none":
				return block.GELU
			case "tanh":
				return block.GELUTanh
			default:
				c.refuse("approximate", "", "it is %q, expected none or tanh", a)
				return nil
			}
		}, nil},
		"Swish": {24, func(c *call) func(x *Node) *Node {
			alpha := c.float("alpha", 1)
			return func(x *Node) *Node { return Mul(x, Logistic(MulScalar(x, alpha))) }
		}, nil},
		"Shrink": {9, func(c *call) func(x *Node) *Node {
			bias, lambd := c.float("bias", 0), c.float("lambd", 0.5)
			return func(x *Node) *Node {
				edge := MulScalar(OnesLike(x), lambd)
				return Where(LessThan(x, Neg(edge)), AddScalar(x, bias), Where(GreaterThan(x, edge), AddScalar(x, -bias), ZerosLike(x)))
			}
		}, nil},
	} {
		var fold func(c *call) *tensor
		if f.fold != nil {
			fold = func(c *call) *tensor { return c.mapFloats(f.fold) }
		}
		register(f.since, func(c *call) *value {
			c.expect(1)
			if !c.in[0].kind.IsFloat() {
				c.refuse("", "", "its input is %v, expected a floating type", c.in[0].kind)
			}
			return c.unary(f.draw(c))
		}, fold, name)
	}
	register(7, prelu, nil, "PRelu")
	register(7, clip, func(c *call) *tensor {
		a := c.host(0)
		least, most := c.bounds()
		out := newTensor(a.kind, a.dims...)
		for i := range out.size() {
			v := a.float(i)
			if least != nil {
				v = max(v, least.float(0))
			}
			if most != nil {
				v = min(v, most.float(0))
			}
			out.set(i, v)
		}
		return out
	}, "Clip")
}

func plainly(f func(x *Node) *Node) func(*call) func(x *Node) *Node {
	return func(*call) func(x *Node) *Node { return f }
}

// mapFloats folds a function of one number.
func (c *call) mapFloats(f func(v float64) float64) *tensor {
	c.expect(1)
	a := c.host(0)
	if !a.isFloat() {
		c.refuse("", "", "its input is %v, expected a floating type", a.kind)
	}
	out := newTensor(a.kind, a.dims...)
	for i := range out.size() {
		out.setFloat(i, f(a.float(i)))
	}
	return out
}

// negative is x where it is above 0, else below. Neither reaches the gradient of the
// other.
func negative(x, below *Node) *Node { return Where(GreaterThan(x, ZerosLike(x)), x, below) }

// expm1 is eˣ − 1 for the negative part of x; for the rest, which negative leaves out, it
// stays finite.
func expm1(x *Node) *Node {
	x = Where(GreaterThan(x, ZerosLike(x)), ZerosLike(x), x)
	return AddScalar(Exp(x), -1)
}

// softplus is log(1 + eˣ), without an overflow.
func softplus(x *Node) *Node {
	most := StopGradient(stage.ReLU(x))
	return Add(most, Log(Add(Exp(Sub(x, most)), Exp(Neg(most)))))
}

// hardSigmoid is αx + β between 0 and 1, with the gradient 0 at both ends.
func hardSigmoid(x *Node, alpha, beta float64) *Node {
	return between(AddScalar(MulScalar(x, alpha), beta), ScalarZero(x.Graph(), x.DType()), ScalarOne(x.Graph(), x.DType()))
}

// between is x between two scalars, with the gradient 0 from each of them on. NaN passes.
func between(x, least, most *Node) *Node {
	one := OnesLike(x)
	if least != nil {
		least = Mul(one, least)
		x = Where(LessOrEqual(x, least), least, x)
	}
	if most != nil {
		most = Mul(one, most)
		x = Where(GreaterOrEqual(x, most), most, x)
	}
	return x
}

// prelu has a slope for each channel, or any that broadcasts to the input.
func prelu(c *call) *value {
	c.expect(2)
	dims := c.broadcastDims(c.dims(0), c.dims(1))
	if len(dims) != len(c.dims(0)) {
		c.refuse(c.inputName(1), "", "the slope %v does not broadcast to %v", c.dims(1), c.dims(0))
	}
	return c.elementwise(func(x []*Node) *Node {
		y := same([]*Node{x[0], Mul(x[0], x[1])})
		return negative(y[0], y[1])
	})
}

// bounds are those of Clip, nil where there are none.
func (c *call) bounds() (least, most *tensor) {
	of := func(i int, name string) *tensor {
		if c.opset < 11 {
			if !c.hasAttr(name) {
				return nil
			}
			t := newTensor(c.value(0).kind, 1)
			t.set(0, c.float(name, 0))
			return t
		}
		if !c.has(i) {
			return nil
		}
		if t := c.host(i); t.size() == 1 && t.kind == c.value(0).kind {
			return t
		}
		c.refuse(c.inputName(i), "", "it is %v %v, expected one number of type %v", c.in[i].kind, c.in[i].dims, c.in[0].kind)
		return nil
	}
	return of(1, "min"), of(2, "max")
}

// clip has the gradient 0 from the bounds on, as PyTorch's ReLU6.
func clip(c *call) *value {
	least, most := c.bounds()
	if !c.value(0).kind.IsFloat() {
		c.refuse("", "", "its input is %v, expected a floating type", c.in[0].kind)
	}
	return c.unary(func(x *Node) *Node {
		constant := func(t *tensor) *Node {
			if t == nil {
				return nil
			}
			return ConstTensor(x.Graph(), t.reshaped().device())
		}
		return between(x, constant(least), constant(most))
	})
}
