package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// value is what a name of the file stands for while a graph is drawn: a constant on the
// host, or a node.
//
// The node of a value that depends on the image has one axis more than the file knows:
// the images, first, as jax.vmap has it. The file itself sees a batch of one image, so
// that it means the same whether its batch is dynamic or fixed at 1, and no operator
// can mix two images.
type value struct {
	kind    dtypes.DType
	dims    []int // as the file sees it
	host    *tensor
	node    *Node
	varying bool // node depends on the image

	// last says that the node of a varying value [N,C,H,W] is [images·N,H,W,C], as the
	// convolutions and pools of this project have it.
	last bool

	drawn *Node // of host, once it was needed
}

// hostValue is a constant, which keeps the first name that it gets.
func hostValue(name string, t *tensor) *value {
	if t.name == "" {
		t.name = name
	}
	return &value{kind: t.kind, dims: t.dims, host: t}
}

// drawing is one pass over a program.
type drawing struct {
	g      *Graph
	images int // in the graph
	values map[string]*value
	// weight is the node of a constant of floating type, which make computes where it is
	// not kept.
	weight func(name string, kind dtypes.DType, dims []int, make func() *tensor) *Node
	named  map[string]*Node // of weight, by name
	root   *model.Scope
	budget int // elements of constants that may still be computed

	external reader // of tensors that lie in other files
}

// fixed returns the node of a value that does not depend on the image, without an axis
// of images.
func (d *drawing) fixed(v *value) *Node {
	switch {
	case v.varying:
		panic("onnx: a value that depends on the image was read as a constant")
	case v.node != nil:
		return v.node
	case v.drawn == nil && v.kind.IsFloat() && sizeOf(v.dims) > 1 && v.host.name != "":
		v.drawn = d.kept(v.host.name, v.kind, v.dims, func() *tensor { return v.host })
	case v.drawn == nil:
		v.drawn = ConstTensor(d.g, v.host.device())
	}
	return v.drawn
}

// kept is weight, once for each name.
func (d *drawing) kept(name string, kind dtypes.DType, dims []int, make func() *tensor) *Node {
	if d.named[name] == nil {
		d.named[name] = d.weight(name, kind, dims, make)
	}
	return d.named[name]
}

// plain returns the node [images,…] of a value, with 1 for the images where it does not
// depend on them.
func (d *drawing) plain(v *value) *Node {
	switch {
	case !v.varying:
		return Reshape(d.fixed(v), append([]int{1}, v.dims...)...)
	case v.last:
		n, c, h, w := v.dims[0], v.dims[1], v.dims[2], v.dims[3]
		return Reshape(TransposeAllAxes(v.node, 0, 3, 1, 2), d.images, n, c, h, w)
	}
	return v.node
}

// channelsLast returns the node [images·N,H,W,C] of a varying value [N,C,H,W].
func (d *drawing) channelsLast(v *value) *Node {
	if v.last {
		return v.node
	}
	x := d.plain(v)
	n, c, h, w := v.dims[0], v.dims[1], v.dims[2], v.dims[3]
	return TransposeAllAxes(Reshape(x, x.Shape().Dim(0)*n, c, h, w), 0, 2, 3, 1)
}

// varying is the value of a node [images,…].
func (d *drawing) varyingValue(x *Node) *value {
	if x.Rank() < 1 || x.Shape().Dim(0) != d.images {
		panic(fmt.Errorf("onnx: a node has the shape %s, expected %d images first", x.Shape(), d.images))
	}
	return &value{kind: x.DType(), dims: slices.Clone(x.Shape().Dimensions[1:]), node: x, varying: true}
}

// imagesValue is the value of a node [images·N,H,W,C].
func (d *drawing) imagesValue(x *Node) *value {
	s := x.Shape().Dimensions
	return &value{kind: x.DType(), dims: []int{s[0] / d.images, s[3], s[1], s[2]}, node: x, varying: true, last: true}
}
