package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(23, attention, nil, "Attention")
	register(23, rotary, nil, "RotaryEmbedding")
}

// attention is softmax(scale·q·kᵀ + mask)·v for each head.
func attention(c *call) *value {
	if c.has(4) || c.has(5) || len(c.n.Output) > 1 {
		c.refuse("", hintOpset, "a cache of keys and values, or an output other than the first, is not supported")
	}
	c.ignore("qk_matmul_output_mode") // of an output that is refused
	if t := c.int("softmax_precision", 1); t != 1 {
		c.refuse("softmax_precision", "", "it is %d, expected 1 (float32)", t)
	}
	if c.in[0].kind != dtypes.Float32 {
		c.refuse("", "", "its input is %v, expected float32", c.in[0].kind)
	}
	flat := c.rank(0) == 3
	q := c.heads(0, "q_num_heads", flat)
	k, v := c.heads(1, "kv_num_heads", flat), c.heads(2, "kv_num_heads", flat) // [images,N,heads,T,D]
	heads, groups := q.Shape().Dim(2), k.Shape().Dim(2)
	if groups == 0 || heads%groups != 0 || v.Shape().Dim(2) != groups || k.Shape().Dim(4) != q.Shape().Dim(4) {
		c.refuse("", "", "%d heads of queries, %d of keys and %d of values", heads, groups, v.Shape().Dim(2))
	}
	images := c.images
	if !c.varying() {
		images = 1
	}
	// Each head of keys serves several of queries, one after the other.
	stack := func(x *Node) *Node {
		d := slices.Clone(x.Shape().Dimensions)
		d[0] = images
		x = BroadcastToDims(x, d...)
		if r := heads / d[2]; r > 1 {
			x = BroadcastToDims(Reshape(x, d[0], d[1], d[2], 1, d[3], d[4]), d[0], d[1], d[2], r, d[3], d[4])
		}
		return Reshape(x, d[0]*d[1]*heads, d[3], d[4])
	}
	n, t, s := q.Shape().Dim(1), q.Shape().Dim(3), k.Shape().Dim(3)
	scale := c.float("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(q.Shape().Dim(4)))
	}
	scores := MulScalar(DotGeneral(stack(q), []int{2}, []int{0}, stack(k), []int{2}, []int{0}), scale)
	if limit := c.float("softcap", 0); limit != 0 {
		if c.opset < 24 && c.has(3) {
			c.refuse("softcap", "", "it is used with a mask, and their order changed in opset 24")
		}
		scores = MulScalar(Tanh(MulScalar(scores, 1/limit)), limit)
	}
	scores = Reshape(scores, images, n, heads, t, s)
	hidden := func(keep *Node) {
		least := MulScalar(OnesLike(scores), math.Inf(-1))
		x := same([]*Node{keep, scores})
		scores = Where(x[0], x[1], least)
	}
	if c.has(3) {
		mask := c.value(3)
		if d := mask.dims; len(d) < 2 || len(d) > 4 || d[len(d)-1] != s {
			c.refuse(c.inputName(3), "", "the mask is %v, expected […,%d,%d]", d, t, s)
		}
		x := c.plain(3)
		x = Reshape(x, append([]int{x.Shape().Dim(0)}, leading(mask.dims, 4)...)...)
		switch mask.kind {
		case dtypes.Bool:
			hidden(x)
		case dtypes.Float32:
			scores = Add(scores, x)
		default:
			c.refuse(c.inputName(3), "", "the mask is %v, expected bool or float32", mask.kind)
		}
	}
	if c.bool("is_causal", false) {
		hidden(GreaterOrEqual(iotaLike(scores, 3), iotaLike(scores, 4)))
	}
	// A row in which the mask hides all is 0.
	most := StopGradient(ReduceAndKeep(scores, ReduceMax, 4))
	most = Where(IsFinite(most), most, ZerosLike(most))
	e := Exp(Sub(scores, most))
	sum := ReduceAndKeep(e, ReduceSum, 4)
	p := Mul(e, Reciprocal(Where(Equal(sum, ZerosLike(sum)), OnesLike(sum), sum)))
	y := DotGeneral(Reshape(p, images*n*heads, t, s), []int{2}, []int{0}, stack(v), []int{1}, []int{0})
	y = Reshape(y, images, n, heads, t, -1)
	if flat {
		y = Reshape(TransposeAllAxes(y, 0, 1, 3, 2, 4), images, n, t, -1)
	}
	return c.out(y)
}

// heads brings input i to [images,N,heads,T,D].
func (c *call) heads(i int, attribute string, flat bool) *Node {
	x, d := c.plain(i), c.dims(i)
	if !flat {
		c.ignore(attribute)
		if len(d) != 4 {
			c.refuse(c.inputName(i), "", "it is %v, expected [N,heads,T,D]", d)
		}
		return x
	}
	heads := c.int(attribute, 0)
	if len(d) != 3 || heads < 1 || d[2]%heads != 0 {
		c.refuse(attribute, "", "%d heads of the shape %v", heads, d)
	}
	return TransposeAllAxes(Reshape(x, x.Shape().Dim(0), d[0], d[1], heads, d[2]/heads), 0, 1, 3, 2, 4)
}

// rotary turns pairs of features by an angle for each position.
func rotary(c *call) *value {
	if c.has(3) {
		c.refuse(c.inputName(3), "", "positions are not supported: expected a cosine and a sine for each element")
	}
	if d := c.int("rotary_embedding_dim", 0); d != 0 {
		c.refuse("rotary_embedding_dim", "", "it is %d, expected 0", d)
	}
	between := c.bool("interleaved", false)
	flat := c.rank(0) == 3
	x := c.heads(0, "num_heads", flat) // [images,N,heads,T,D]
	t, half := x.Shape().Dim(3), x.Shape().Dim(4)/2
	factor := func(i int) *Node { // [N,T,D/2]
		if d := c.dims(i); len(d) != 3 || d[0] != 1 && d[0] != x.Shape().Dim(1) || d[1] != t || d[2] != half {
			c.refuse(c.inputName(i), "", "it is %v, expected [N,%d,%d]", d, t, half)
		}
		p := c.plain(i)
		return Reshape(p, p.Shape().Dim(0), p.Shape().Dim(1), 1, t, half)
	}
	cos, sin := factor(1), factor(2)
	from, step := half, 1
	if between {
		from, step = 1, 2
	}
	a, b := slice(x, 4, 0, half, step), slice(x, 4, from, half, step)
	a, b = Sub(Mul(a, cos), Mul(b, sin)), Add(Mul(a, sin), Mul(b, cos))
	axis := 4
	if between {
		axis = 5
	}
	y := Reshape(Concatenate([]*Node{raised(a, axis), raised(b, axis)}, axis), append(slices.Clone(a.Shape().Dimensions[:4]), 2*half)...)
	if flat {
		d := y.Shape().Dimensions
		y = Reshape(TransposeAllAxes(y, 0, 1, 3, 2, 4), d[0], d[1], d[3], d[2]*d[4])
	}
	return c.out(y)
}

// raised has one axis more, of 1, if axis is behind the last.
func raised(x *Node, axis int) *Node {
	if axis < x.Rank() {
		return x
	}
	return Reshape(x, append(slices.Clone(x.Shape().Dimensions), 1)...)
}
