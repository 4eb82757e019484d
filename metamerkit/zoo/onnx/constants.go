package onnx

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
)

// Operators whose result is a constant, and those that pass their input on.
func init() {
	register(7, func(c *call) *value { return hostValue("", constant(c)) }, nil, "Constant")
	register(7, func(c *call) *value {
		dims, kept := c.dims(0), len(c.dims(0))
		start, end := 0, kept
		if c.opset >= 15 {
			bound := func(name string, otherwise int) int {
				v := c.int(name, otherwise)
				if v < 0 {
					v += kept
				}
				return min(max(v, 0), kept)
			}
			start, end = bound("start", 0), bound("end", kept)
		}
		return hostValue("", intsTensor(dims[start:max(start, end)]...))
	}, nil, "Shape")
	register(7, func(c *call) *value {
		return hostValue("", intsTensor(sizeOf(c.dims(0))).reshaped())
	}, nil, "Size")
	register(9, func(c *call) *value {
		dims := c.ints(0)
		fill := newTensor(dtypes.Float32, 1)
		if a := c.attr("value", protos.AttributeProto_TENSOR); a != nil {
			fill = c.tensorOf("value", a.T)
		}
		if fill.size() != 1 {
			c.refuse("value", "", "it has the shape %v, expected one number", fill.dims)
		}
		out := newTensor(fill.kind, dims...)
		c.spend(out.size())
		for i := range out.size() {
			out.copyFrom(i, fill, 0)
		}
		return hostValue("", out)
	}, nil, "ConstantOfShape")
	register(11, func(c *call) *value {
		c.expect(3)
		c.ignore("stash_type") // of float16 and bfloat16, which are computed in float32
		start, limit, delta := c.host(0), c.host(1), c.host(2)
		kind := start.kind
		if start.size() != 1 || limit.size() != 1 || delta.size() != 1 || kind != limit.kind || kind != delta.kind {
			c.refuse("", "", "its inputs are %v, %v and %v, expected three numbers of one type", start.kind, limit.kind, delta.kind)
		}
		n, step := 0, delta.float(0)
		if step != 0 {
			n = int(min(max(math.Ceil((limit.float(0)-start.float(0))/step), 0), maxElements))
		} else {
			c.refuse(c.inputName(2), "", "it is 0")
		}
		c.spend(n)
		out := newTensor(kind, n)
		for i := range n {
			if kind.IsFloat() {
				out.setFloat(i, start.float(0)+float64(i)*step)
			} else {
				out.setInt(i, start.ints[0]+int64(i)*delta.ints[0])
			}
		}
		return hostValue("", out)
	}, nil, "Range")
	for name, since := range map[string]int{"Identity": 7, "Dropout": 7} {
		operators[name] = operator{since: since, until: newest, passes: true, run: func(c *call) []*value {
			if c.n.OpType == "Dropout" {
				c.ignore("ratio", "seed")
				if c.has(1) {
					c.used[1] = true // the ratio
				}
				if c.has(2) {
					if t := c.host(2); t.size() != 1 || t.float(0) != 0 {
						c.refuse(c.inputName(2), hintEval, "it is in training mode")
					}
				}
			}
			return []*value{c.value(0)}
		}}
	}
}

// spend counts the elements of a constant that is about to be made.
func (d *drawing) spend(n int) {
	if d.budget -= n; d.budget < 0 {
		panic("onnx: the constants that the graph computes have too many elements")
	}
}

func (c *call) tensorOf(what string, p *protos.TensorProto) *tensor {
	if p == nil {
		c.refuse(what, "", "it holds no tensor")
	}
	t, err := tensorOf(p, c.external)
	if err != nil {
		c.refuse(what, "", "%v", err)
	}
	return t
}

func constant(c *call) *tensor {
	if len(c.attrs) != 1 {
		c.refuse("", "", "%d attributes, expected one value", len(c.attrs))
	}
	if a := c.attr("value", protos.AttributeProto_TENSOR); a != nil {
		return c.tensorOf("value", a.T)
	}
	if a := c.attr("value_int", protos.AttributeProto_INT); a != nil {
		return intsTensor(int(a.I)).reshaped()
	}
	if a := c.attr("value_ints", protos.AttributeProto_INTS); a != nil {
		return intsTensor(c.list("value_ints")...)
	}
	floats := func(v ...float32) *tensor {
		t := newTensor(dtypes.Float32, len(v))
		copy(t.single, v)
		return t
	}
	if a := c.attr("value_float", protos.AttributeProto_FLOAT); a != nil {
		return floats(a.F).reshaped()
	}
	if a := c.attr("value_floats", protos.AttributeProto_FLOATS); a != nil {
		return floats(a.Floats...)
	}
	c.refuse("", "", "its value is neither a tensor nor numbers")
	return nil
}
