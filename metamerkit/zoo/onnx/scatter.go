package onnx

import (
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Operators that find elements by constant indices of several axes. On a graph all of
// them are one gather from the elements in a row.
func init() {
	for _, o := range []struct {
		name  string
		since int
		index func(c *call) (flat, dims []int)
	}{{"GatherElements", 11, elementsIndex}, {"GatherND", 11, gatherNDIndex}} {
		register(o.since, func(c *call) *value {
			flat, dims := o.index(c)
			if len(flat) == 0 {
				c.refuse(c.inputName(1), "", "it is empty")
			}
			x := c.plain(0)
			n := x.Shape().Dim(0)
			return c.out(Reshape(gather(Reshape(x, n, -1), 1, flat), append([]int{n}, dims...)...))
		}, func(c *call) *tensor {
			flat, dims := o.index(c)
			out := newTensor(c.host(0).kind, dims...)
			for i, j := range flat {
				out.copyFrom(i, c.in[0].host, j)
			}
			return out
		}, o.name)
	}
	for _, o := range []struct {
		name  string
		since int
		index func(c *call) (flat []int)
	}{
		{"ScatterElements", 11, func(c *call) []int { flat, _ := elementsIndex(c); return flat }},
		{"Scatter", 9, func(c *call) []int { flat, _ := elementsIndex(c); return flat }},
		{"ScatterND", 11, scatterNDIndex},
	} {
		register(o.since, func(c *call) *value {
			from := c.scattered(o.index(c))
			a, b := c.plain(0), c.plain(2)
			images := max(a.Shape().Dim(0), b.Shape().Dim(0))
			row := func(x *Node, n int) *Node {
				return BroadcastToDims(Reshape(x, x.Shape().Dim(0), n), images, n)
			}
			all := Concatenate([]*Node{row(a, sizeOf(c.dims(0))), row(b, sizeOf(c.dims(2)))}, 1)
			return c.out(Reshape(gather(all, 1, from), append([]int{images}, c.dims(0)...)...))
		}, func(c *call) *tensor {
			from := c.scattered(o.index(c))
			a, b := c.host(0), c.host(2)
			out := newTensor(a.kind, a.dims...)
			for i, j := range from {
				if j < a.size() {
					out.copyFrom(i, a, j)
				} else {
					out.copyFrom(i, b, j-a.size())
				}
			}
			return out
		}, o.name)
	}
	register(9, func(c *call) *value {
		c.refuse("", hintConstant, "it is supported for constants only")
		return nil
	}, func(c *call) *tensor {
		a := c.host(0)
		var found []int
		for i := range a.size() {
			if a.float(i) != 0 {
				found = append(found, i)
			}
		}
		out := newTensor(dtypes.Int64, len(a.dims), len(found))
		for j, at := range found {
			for k := len(a.dims) - 1; k >= 0; k-- {
				out.ints[k*len(found)+j] = int64(at % a.dims[k])
				at /= a.dims[k]
			}
		}
		return out
	}, "NonZero")
	register(9, func(c *call) *value {
		c.refuse("", hintConstant, "it is supported for constants only")
		return nil
	}, oneHot, "OneHot")
	register(9, func(c *call) *value {
		dims := c.dims(0)
		if len(dims) != 2 {
			c.refuse("", "", "its input has the shape %v, expected a matrix", dims)
		}
		kind := c.in[0].kind
		if c.hasAttr("dtype") {
			var ok bool
			if kind, ok = kinds[protos.TensorProto_DataType(c.int("dtype", 0))]; !ok {
				c.refuse("dtype", "", "the type is not supported")
			}
			kind = computed(kind)
		}
		k := c.int("k", 0)
		c.spend(sizeOf(dims))
		out := newTensor(kind, dims...)
		for i := range dims[0] {
			if j := i + k; j >= 0 && j < dims[1] {
				out.set(i*dims[1]+j, 1)
			}
		}
		return hostValue("", out)
	}, nil, "EyeLike")
}

// within brings an index to 0…n−1.
func (c *call) within(v int64, n int) int {
	if v < 0 {
		v += int64(n)
	}
	if v < 0 || v >= int64(n) {
		c.refuse(c.inputName(1), "", "it holds %d for %d elements", v, n)
	}
	return int(v)
}

// indices is input 1, constant integers.
func (c *call) indices() *tensor {
	t := c.host(1)
	if t.isFloat() {
		c.refuse(c.inputName(1), "", "it is %v, expected integers", t.kind)
	}
	return t
}

// elementsIndex are the places of GatherElements and ScatterElements: those of the
// indices themselves, but for one axis.
func elementsIndex(c *call) (flat, dims []int) {
	from, t := c.dims(0), c.indices()
	axis := c.axis("axis", c.int("axis", 0), len(from))
	if len(t.dims) != len(from) {
		c.refuse(c.inputName(1), "", "it is %v for the shape %v", t.dims, from)
	}
	for a, d := range t.dims {
		if a != axis && d > from[a] {
			c.refuse(c.inputName(1), "", "it is %v for the shape %v", t.dims, from)
		}
	}
	at := make([]int, len(from))
	for i := range t.size() {
		j := 0
		for a, p := range at {
			if a == axis {
				p = c.within(t.ints[i], from[a])
			}
			j = j*from[a] + p
		}
		flat = append(flat, j)
		advance(at, t.dims)
	}
	return flat, t.dims
}

// tuples are the places that the last axis of the indices states, each the first of a
// block of elements.
func (c *call) tuples(t *tensor, from []int) (first []int, block int) {
	if len(t.dims) == 0 || t.dims[len(t.dims)-1] > len(from) {
		c.refuse(c.inputName(1), "", "it is %v for the shape %v", t.dims, from)
	}
	k := t.dims[len(t.dims)-1]
	block = sizeOf(from[k:])
	if k == 0 {
		c.refuse(c.inputName(1), "", "it is %v", t.dims)
	}
	for i := 0; i < t.size(); i += k {
		j := 0
		for a := range k {
			j = j*from[a] + c.within(t.ints[i+a], from[a])
		}
		first = append(first, j*block)
	}
	return first, block
}

func gatherNDIndex(c *call) (flat, dims []int) {
	if b := c.int("batch_dims", 0); b != 0 {
		c.refuse("batch_dims", "", "it is %d, expected 0", b)
	}
	t, from := c.indices(), c.dims(0)
	first, block := c.tuples(t, from)
	sizeOf([]int{len(first), block})
	c.spend(len(first) * block)
	for _, f := range first {
		for i := range block {
			flat = append(flat, f+i)
		}
	}
	dims = append(append(dims, t.dims[:len(t.dims)-1]...), from[t.dims[len(t.dims)-1]:]...)
	return flat, dims
}

func scatterNDIndex(c *call) []int {
	flat, dims := gatherNDIndex(c)
	if got := sizeOf(c.dims(2)); got != sizeOf(dims) {
		c.refuse(c.inputName(2), "", "it is %v, expected %v", c.dims(2), dims)
	}
	return flat
}

// scattered says for each element of the result where it comes from: the data, or the
// updates behind them.
func (c *call) scattered(flat []int) []int {
	if r := c.text("reduction", "none"); r != "none" {
		c.refuse("reduction", "", "it is %q, expected none", r)
	}
	if c.value(0).kind != c.value(2).kind || len(flat) != sizeOf(c.dims(2)) {
		c.refuse(c.inputName(2), "", "it is %v %v for %d places of %v", c.in[2].kind, c.dims(2), len(flat), c.in[0].kind)
	}
	n := sizeOf(c.dims(0))
	c.spend(n)
	from := make([]int, n)
	for i := range from {
		from[i] = i
	}
	for i, j := range flat {
		if from[j] != j {
			c.refuse(c.inputName(1), "", "it holds a place twice")
		}
		from[j] = n + i
	}
	return from
}

func oneHot(c *call) *tensor {
	c.expect(3)
	index, depth, values := c.host(0), int(c.number(1)), c.host(2)
	axis := c.axis("axis", c.int("axis", -1), len(index.dims)+1)
	if values.size() != 2 || depth < 1 || depth > maxElements {
		c.refuse(c.inputName(1), "", "the depth is %d with %d values, expected one above 0 with 2", depth, values.size())
	}
	inner := sizeOf(index.dims[axis:])
	dims := append(append(append([]int{}, index.dims[:axis]...), depth), index.dims[axis:]...)
	out := newTensor(values.kind, dims...)
	c.spend(out.size())
	for i := range out.size() {
		out.copyFrom(i, values, 0)
	}
	for i := range index.size() {
		v := int(math.Floor(index.float(i)))
		if v < 0 {
			v += depth
		}
		if v >= 0 && v < depth {
			out.copyFrom((i/inner*depth+v)*inner+i%inner, values, 1)
		}
	}
	return out
}
