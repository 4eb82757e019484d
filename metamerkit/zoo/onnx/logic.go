package onnx

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	for _, o := range []struct {
		name   string
		since  int
		draw   func(a, b *Node) *Node
		floats func(a, b float64) bool
		ints   func(a, b int64) bool
	}{
		{"Equal", 7, Equal, func(a, b float64) bool { return a == b }, func(a, b int64) bool { return a == b }},
		{"Less", 7, LessThan, func(a, b float64) bool { return a < b }, func(a, b int64) bool { return a < b }},
		{"LessOrEqual", 12, LessOrEqual, func(a, b float64) bool { return a <= b }, func(a, b int64) bool { return a <= b }},
		{"Greater", 7, GreaterThan, func(a, b float64) bool { return a > b }, func(a, b int64) bool { return a > b }},
		{"GreaterOrEqual", 12, GreaterOrEqual, func(a, b float64) bool { return a >= b }, func(a, b int64) bool { return a >= b }},
	} {
		register(o.since, func(c *call) *value {
			c.expect(2)
			if c.in[0].kind == dtypes.Bool {
				c.refuse("", "", "truth values are compared only where they are constants")
			}
			return c.elementwise(func(x []*Node) *Node { return o.draw(x[0], x[1]) })
		}, func(c *call) *tensor { return c.compare(o.floats, o.ints) }, o.name)
	}
	for _, o := range []struct {
		name string
		draw func(a, b *Node) *Node
		ints func(a, b int64) bool
	}{
		{"And", LogicalAnd, func(a, b int64) bool { return a != 0 && b != 0 }},
		{"Or", LogicalOr, func(a, b int64) bool { return a != 0 || b != 0 }},
		{"Xor", LogicalXor, func(a, b int64) bool { return (a != 0) != (b != 0) }},
	} {
		register(7, func(c *call) *value {
			c.expect(2)
			return c.elementwise(func(x []*Node) *Node { x = same(x); return o.draw(x[0], x[1]) })
		}, func(c *call) *tensor { return c.compare(nil, o.ints) }, o.name)
	}
	register(7, func(c *call) *value { c.expect(1); return c.unary(LogicalNot) }, func(c *call) *tensor {
		return c.mapAll(dtypes.Bool, func(a *tensor, i int) float64 { return truth(a.float(i) == 0) })
	}, "Not")
	register(9, func(c *call) *value { c.expect(1); return c.unary(func(x *Node) *Node { return NotEqual(x, x) }) }, func(c *call) *tensor {
		return c.mapAll(dtypes.Bool, func(a *tensor, i int) float64 { return truth(math.IsNaN(a.float(i))) })
	}, "IsNaN")
	for name, f := range map[string]struct {
		since int
		draw  func(x *Node) *Node
		fold  func(v float64) float64
	}{
		"Floor": {7, Floor, math.Floor}, "Ceil": {7, Ceil, math.Ceil}, "Round": {11, Round, math.RoundToEven}, "Sign": {9, Sign, sign},
	} { // their gradient is 0
		register(f.since, func(c *call) *value {
			c.expect(1)
			return c.unary(func(x *Node) *Node { return StopGradient(f.draw(StopGradient(x))) })
		}, func(c *call) *tensor {
			return c.mapAll(c.value(0).kind, func(a *tensor, i int) float64 { return f.fold(a.float(i)) })
		}, name)
	}
	register(7, func(c *call) *value { c.expect(1); return c.unary(Abs) }, func(c *call) *tensor {
		return c.mapAll(c.value(0).kind, func(a *tensor, i int) float64 { return math.Abs(a.float(i)) })
	}, "Abs")
	register(7, func(c *call) *value { c.expect(1); return c.unary(Neg) }, func(c *call) *tensor {
		return c.mapAll(c.value(0).kind, func(a *tensor, i int) float64 { return -a.float(i) })
	}, "Neg")
	register(9, where, func(c *call) *tensor {
		c.expect(3)
		cond, a, b := c.host(0), c.host(1), c.host(2)
		if a.kind != b.kind || cond.kind != dtypes.Bool {
			c.refuse("", "", "its inputs are %v, %v and %v, expected bool and twice one type", cond.kind, a.kind, b.kind)
		}
		out := newTensor(a.kind, c.broadcastDims(cond.dims, a.dims, b.dims)...)
		return c.each(out, func(i int, at []int) {
			if cond.ints[at[0]] != 0 {
				out.copyFrom(i, a, at[1])
			} else {
				out.copyFrom(i, b, at[2])
			}
		})
	}, "Where")
	register(7, cast, func(c *call) *tensor { return c.cast(c.host(0), c.target()) }, "Cast")
	register(15, cast, func(c *call) *tensor { return c.cast(c.host(0), c.target()) }, "CastLike")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

// mapAll folds a function of one element.
func (c *call) mapAll(kind dtypes.DType, f func(a *tensor, i int) float64) *tensor {
	c.expect(1)
	a := c.host(0)
	out := newTensor(kind, a.dims...)
	for i := range out.size() {
		out.set(i, f(a, i))
	}
	return out
}

// set is setFloat or setInt.
func (t *tensor) set(i int, v float64) {
	if t.isFloat() {
		t.setFloat(i, v)
	} else {
		t.setInt(i, int64(v))
	}
}

// compare folds a relation of two constants of one type.
func (c *call) compare(floats func(a, b float64) bool, ints func(a, b int64) bool) *tensor {
	c.expect(2)
	a, b := c.host(0), c.host(1)
	if a.kind != b.kind || a.isFloat() && floats == nil || a.kind == dtypes.Uint64 {
		c.refuse("", "", "its inputs are %v and %v, expected one type that it takes", a.kind, b.kind)
	}
	out := newTensor(dtypes.Bool, c.broadcastDims(a.dims, b.dims)...)
	return c.each(out, func(i int, at []int) {
		if a.isFloat() {
			out.ints[i] = int64(truth(floats(a.float(at[0]), b.float(at[1]))))
		} else {
			out.ints[i] = int64(truth(ints(a.ints[at[0]], b.ints[at[1]])))
		}
	})
}

func where(c *call) *value {
	c.expect(3)
	if c.in[0].kind != dtypes.Bool || c.in[1].kind != c.in[2].kind {
		c.refuse("", "", "its inputs are %v, %v and %v, expected bool and twice one type", c.in[0].kind, c.in[1].kind, c.in[2].kind)
	}
	return c.elementwise(func(x []*Node) *Node {
		x = same(x)
		return Where(x[0], x[1], x[2])
	})
}

// target is the type that Cast or CastLike makes.
func (c *call) target() dtypes.DType {
	c.ignore("saturate", "round_mode") // of types of 8 bits and less
	if c.n.OpType == "CastLike" {
		return c.value(1).kind
	}
	to := protos.TensorProto_DataType(c.int("to", 0))
	kind, ok := kinds[to]
	if !ok {
		c.refuse("to", "", "it is %v, expected float, double, float16, bfloat16, an integer or bool", to)
	}
	return kind
}

// cast folds a change of type.
func (c *call) cast(a *tensor, kind dtypes.DType) *tensor {
	if kind == a.kind {
		return a
	}
	out := newTensor(kind, a.dims...)
	for i := range out.size() {
		switch {
		case out.isFloat():
			out.setFloat(i, a.float(i))
		case !a.isFloat():
			out.setInt(i, a.ints[i])
		case kind == dtypes.Bool:
			out.ints[i] = int64(truth(a.float(i) != 0))
		default:
			v := a.float(i)
			if !(math.Abs(v) < 1<<62) {
				c.refuse("", "", "the number %g does not fit %v", v, kind)
			}
			out.setInt(i, int64(v))
		}
	}
	out.kind = computed(kind) // rounded, if it is narrower
	return out
}

func cast(c *call) *value {
	kind := computed(c.target()) // without rounding, as the gradient has none
	from := c.value(0).kind
	return c.castTo(0, from, kind)
}

// castTo changes the type of input i.
func (c *call) castTo(i int, from, kind dtypes.DType) *value {
	if from == kind {
		return c.value(i)
	}
	return c.unary(func(x *Node) *Node {
		if kind == dtypes.Bool {
			return NotEqual(x, ZerosLike(x))
		}
		if !from.IsFloat() || !kind.IsFloat() {
			x = StopGradient(x)
		}
		return ConvertDType(x, kind)
	})
}
