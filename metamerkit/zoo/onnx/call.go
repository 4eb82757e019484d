package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	. "github.com/gomlx/gomlx/core/graph"
)

// call is one node at work: its inputs and attributes. Whatever of them an operator's
// function does not read is refused when it returns.
type call struct {
	*drawing
	n     *protos.NodeProto
	opset int
	in    []*value // nil: left out
	attrs map[string]*protos.AttributeProto
	read  map[string]bool // attributes
	used  []bool          // inputs

	scopeName string // under which block keeps what it computes from the kernel
}

// refuse ends the call. What is the attribute or input at fault.
func (c *call) refuse(what, hint, format string, args ...any) {
	panic(&Unsupported{Node: label(c.n), Op: c.n.OpType, Attribute: what, Opset: c.opset, Why: fmt.Sprintf(format, args...), Hint: hint})
}

func label(n *protos.NodeProto) string {
	if n.Name != "" || len(n.Output) == 0 {
		return n.Name
	}
	return n.Output[0]
}

// attr returns an attribute of the wanted type, or nil.
func (c *call) attr(name string, kind protos.AttributeProto_AttributeType) *protos.AttributeProto {
	c.read[name] = true
	a := c.attrs[name]
	if a == nil {
		return nil
	}
	if a.Type != kind {
		c.refuse(name, "", "it is of type %v, expected %v", a.Type, kind)
	}
	return a
}

func (c *call) hasAttr(name string) bool { return c.attrs[name] != nil }

// ignore accepts attributes that say nothing in inference.
func (c *call) ignore(names ...string) {
	for _, n := range names {
		c.read[n] = true
	}
}

func (c *call) int(name string, otherwise int) int {
	if a := c.attr(name, protos.AttributeProto_INT); a != nil {
		return int(a.I)
	}
	return otherwise
}

func (c *call) bool(name string, otherwise bool) bool {
	i := 0
	if otherwise {
		i = 1
	}
	return c.int(name, i) != 0
}

func (c *call) float(name string, otherwise float64) float64 {
	if a := c.attr(name, protos.AttributeProto_FLOAT); a != nil {
		return float64(a.F)
	}
	return otherwise
}

func (c *call) text(name, otherwise string) string {
	if a := c.attr(name, protos.AttributeProto_STRING); a != nil {
		return string(a.S)
	}
	return otherwise
}

// list returns a list of integers, nil where it is left out.
func (c *call) list(name string) []int {
	a := c.attr(name, protos.AttributeProto_INTS)
	if a == nil {
		return nil
	}
	out := make([]int, len(a.Ints))
	for i, v := range a.Ints {
		out[i] = int(v)
	}
	return out
}

// times returns a list of n integers, or n times the default.
func (c *call) times(name string, n, otherwise int) []int {
	l := c.list(name)
	if l == nil {
		return slices.Repeat([]int{otherwise}, n)
	}
	if len(l) != n {
		c.refuse(name, "", "it is %v, expected %d numbers", l, n)
	}
	return l
}

// has says whether input i is given.
func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

// value returns input i, which must be given.
func (c *call) value(i int) *value {
	if !c.has(i) {
		c.refuse("", "", "input %d is missing", i)
	}
	c.used[i] = true
	return c.in[i]
}

func (c *call) dims(i int) []int { return c.value(i).dims }
func (c *call) rank(i int) int   { return len(c.value(i).dims) }

// host returns input i, which must be a constant.
func (c *call) host(i int) *tensor {
	v := c.value(i)
	if v.host == nil {
		c.refuse(c.inputName(i), hintConstant, "it is computed from the image or from weights, expected a constant")
	}
	v.host.read = true
	return v.host
}

func (c *call) inputName(i int) string { return fmt.Sprintf("input %q", c.n.Input[i]) }

// ints returns input i as integers.
func (c *call) ints(i int) []int {
	t := c.host(i)
	if t.kind.IsFloat() || len(t.dims) > 1 {
		c.refuse(c.inputName(i), "", "it is %v %v, expected a list of integers", t.kind, t.dims)
	}
	out := make([]int, t.size())
	for j, v := range t.ints {
		out[j] = int(v)
	}
	return out
}

// number returns input i, a constant, as one number.
func (c *call) number(i int) float64 {
	v, ok := c.host(i).scalar()
	if !ok {
		c.refuse(c.inputName(i), "", "it has the shape %v, expected one number", c.dims(i))
	}
	return v
}

// plain returns the node [images,…] of input i, with 1 for the images where it does
// not depend on them.
func (c *call) plain(i int) *Node { return c.drawing.plain(c.value(i)) }

// fixed returns the node of input i, which must not depend on the image.
func (c *call) fixed(i int) *Node {
	if v := c.value(i); v.varying {
		c.refuse(c.inputName(i), "", "it is computed from the image, expected weights")
	}
	return c.drawing.fixed(c.in[i])
}

// varying says whether any input depends on the image.
func (c *call) varying() bool {
	return slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.varying })
}

// constant says whether all inputs are constants on the host.
func (c *call) constant() bool {
	return !slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.host == nil })
}

// out is the value of a node [images,…], which has 1 image where nothing depends on them.
func (c *call) out(x *Node) *value {
	if c.varying() {
		if x.Shape().Dim(0) != c.images { // every image gives the same
			dims := slices.Clone(x.Shape().Dimensions)
			dims[0] = c.images
			x = BroadcastToDims(x, dims...)
		}
		return c.varyingValue(x)
	}
	dims := x.Shape().Dimensions[1:]
	return &value{kind: x.DType(), dims: slices.Clone(dims), node: Reshape(x, dims...)}
}

// axis brings an axis to 0…rank−1.
func (c *call) axis(name string, a, rank int) int {
	if a < -rank || a >= rank {
		c.refuse(name, "", "it is %d, expected %d to %d", a, -rank, rank-1)
	}
	if a < 0 {
		a += rank
	}
	return a
}

// axes brings axes to 0…rank−1 and refuses repeated ones.
func (c *call) axes(name string, list []int, rank int) []int {
	out := make([]int, len(list))
	for i, a := range list {
		if out[i] = c.axis(name, a, rank); slices.Contains(out[:i], out[i]) {
			c.refuse(name, "", "it is %v, expected no axis twice", list)
		}
	}
	return out
}

// shift is axes as those of a node with an axis of images.
func shift(axes []int) []int {
	out := make([]int, len(axes))
	for i, a := range axes {
		out[i] = a + 1
	}
	return out
}
