package onnx

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

func init() {
	register(7, matMul, nil, "MatMul")
	register(7, gemm, nil, "Gemm")
	register(12, einsum, nil, "Einsum")
}

// matMul is NumPy's.
func matMul(c *call) *value {
	c.expect(2)
	a, b := c.in[0], c.in[1]
	if len(a.dims) == 0 || len(b.dims) == 0 || !a.kind.IsFloat() || a.kind != b.kind {
		c.refuse("", "", "its inputs are %v %v and %v %v, expected matrices of one floating type", a.kind, a.dims, b.kind, b.dims)
	}
	if len(a.dims) >= 2 && !b.varying && len(b.dims) == 2 { // a layer of weights
		if a.dims[len(a.dims)-1] != b.dims[0] {
			c.refuse("", "", "the shapes %v and %v do not fit", a.dims, b.dims)
		}
		x := c.plain(0)
		return c.out(DotGeneral(x, []int{x.Rank() - 1}, nil, c.fixed(1), []int{0}, nil))
	}
	x, y := c.plain(0), c.plain(1)
	ad, bd := slices.Clone(a.dims), slices.Clone(b.dims)
	if len(ad) == 1 {
		ad = []int{1, ad[0]}
	}
	if len(bd) == 1 {
		bd = []int{bd[0], 1}
	}
	m, k, n := ad[len(ad)-2], ad[len(ad)-1], bd[len(bd)-1]
	if bd[len(bd)-2] != k {
		c.refuse("", "", "the shapes %v and %v do not fit", a.dims, b.dims)
	}
	outer := c.broadcastDims(ad[:len(ad)-2], bd[:len(bd)-2])
	images := max(x.Shape().Dim(0), y.Shape().Dim(0))
	stack := func(x *Node, dims []int) *Node { // [images·outer,rows,columns]
		x = Reshape(x, slices.Concat([]int{x.Shape().Dim(0)}, leading(dims[:len(dims)-2], len(outer)), dims[len(dims)-2:])...)
		full := slices.Concat([]int{images}, outer, dims[len(dims)-2:])
		if !slices.Equal(x.Shape().Dimensions, full) {
			x = BroadcastToDims(x, full...)
		}
		return Reshape(x, images*sizeOf(outer), dims[len(dims)-2], dims[len(dims)-1])
	}
	z := DotGeneral(stack(x, ad), []int{2}, []int{0}, stack(y, bd), []int{1}, []int{0})
	dims := append([]int{images}, outer...)
	if len(a.dims) > 1 {
		dims = append(dims, m)
	}
	if len(b.dims) > 1 {
		dims = append(dims, n)
	}
	return c.out(Reshape(z, dims...))
}

// gemm is α·A·B + β·C of matrices.
func gemm(c *call) *value {
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	transA, transB := c.bool("transA", false), c.bool("transB", false)
	a, b := c.value(0), c.value(1)
	if len(a.dims) != 2 || len(b.dims) != 2 || !a.kind.IsFloat() {
		c.refuse("", "", "its inputs are %v and %v, expected matrices of a floating type", a.dims, b.dims)
	}
	inA, inB := 1, 0 // the axes that are summed over
	if transA {
		inA = 0
	}
	if transB {
		inB = 1
	}
	if a.dims[inA] != b.dims[inB] {
		c.refuse("", "", "the shapes %v and %v do not fit", a.dims, b.dims)
	}
	var y *Node
	if x := c.plain(0); b.varying {
		x := BroadcastToDims(x, append([]int{c.images}, a.dims...)...)
		y = DotGeneral(x, []int{inA + 1}, []int{0}, c.plain(1), []int{inB + 1}, []int{0})
	} else {
		y = DotGeneral(x, []int{inA + 1}, nil, c.fixed(1), []int{inB}, nil)
	}
	if alpha != 1 {
		y = MulScalar(y, alpha)
	}
	if c.has(2) && beta != 0 {
		want := []int{a.dims[1-inA], b.dims[1-inB]}
		if d := c.dims(2); len(d) > 2 || !slices.Equal(c.broadcastDims(d, want), want) {
			c.refuse(c.inputName(2), "", "it is %v for the shape %v", d, want)
		}
		x := c.plain(2)
		x = Reshape(x, append([]int{x.Shape().Dim(0)}, leading(c.dims(2), 2)...)...)
		if beta != 1 {
			x = MulScalar(x, beta)
		}
		y = Add(y, x)
	} else if c.has(2) {
		c.value(2)
	}
	return c.out(y)
}
