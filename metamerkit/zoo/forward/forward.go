// Package forward differentiates graphs in forward mode, which GoMLX does not have: the
// derivative of activations along a direction of pixels, Jv, at about the price of one more
// forward pass.
package forward

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// UnknownError reports an operation whose derivative is not known here.
type UnknownError struct{ Operation string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("the operation %s has no derivative in forward mode", e.Operation)
}

// Along returns the derivative of y along the direction v of x: Jv, with J the Jacobian of y
// by x. v has the shape of x. The derivative is that of the values: StopGradient and custom
// gradients have no influence. It panics with an *UnknownError, as graph code does.
func Along(y, x, v *Node) *Node {
	p := pass{x: v}
	for _, n := range y.Graph().Nodes() { // inputs come before what reads them
		if n.Id() > x.Id() && n.Id() <= y.Id() {
			if slices.ContainsFunc(n.Inputs(), func(in *Node) bool { return p[in] != nil }) {
				p[n] = p.derivative(n)
			}
		}
	}
	if p[y] == nil {
		return ZerosLike(y)
	}
	return p[y]
}

// pass holds the derivatives of nodes along the direction; nil is zero.
type pass map[*Node]*Node

// of is the derivative of a node, with zeros where it is zero.
func (p pass) of(n *Node) *Node {
	if d := p[n]; d != nil {
		return d
	}
	return ZerosLike(n)
}

// derivative is the derivative of a node that has that of its inputs, nil if it is zero.
func (p pass) derivative(n *Node) *Node {
	in := n.Inputs()
	switch n.Type() {
	case NodeTypeEqual, NodeTypeNotEqual, NodeTypeGreaterThan, NodeTypeGreaterOrEqual, NodeTypeLessThan, NodeTypeLessOrEqual,
		NodeTypeIsFinite, NodeTypeIsNaN, NodeTypeSign, NodeTypeFloor, NodeTypeCeil, NodeTypeRound, NodeTypeArgMinMax:
		return nil
	case NodeTypeIdentity:
		return p[in[0]]
	case NodeTypeConvertDType:
		if !n.DType().IsFloat() {
			return nil
		}
		return n.CloneWithInputs(p[in[0]])
	// Linear in all inputs.
	case NodeTypeSub:
		if p[in[0]] == p[in[1]] { // the way of a gradient beside a result: x − StopGradient(x)
			return nil
		}
		return p.all(n)
	case NodeTypeAdd, NodeTypeNeg, NodeTypeConcatenate, NodeTypePad, NodeTypeReshape, NodeTypeTranspose, NodeTypeSlice,
		NodeTypeReverse, NodeTypeReduceSum, NodeTypeBroadcastInDim, NodeTypeCumSum:
		return p.all(n)
	// Linear in their values, and read by conditions or indices as well.
	case NodeTypeWhere:
		return n.CloneWithInputs(in[0], p.of(in[1]), p.of(in[2]))
	case NodeTypeGather, NodeTypeDynamicSlice:
		return p.with(n, 0)
	// Linear in each input.
	case NodeTypeMul, NodeTypeDotGeneral, NodeTypeConvGeneral:
		return p.sum(n)
	}
	return p.transposed(n)
}

// all applies a linear operation to the derivatives of all its inputs.
func (p pass) all(n *Node) *Node {
	var with []*Node
	for _, in := range n.Inputs() {
		with = append(with, p.of(in))
	}
	return n.CloneWithInputs(with...)
}

// with applies the operation to the derivative of one input and to the others as they are.
func (p pass) with(n *Node, k int) *Node {
	with := slices.Clone(n.Inputs())
	if with[k] = p[with[k]]; with[k] == nil {
		return nil
	}
	return n.CloneWithInputs(with...)
}

// sum is the product rule.
func (p pass) sum(n *Node) (sum *Node) {
	for k := range n.Inputs() {
		switch d := p.with(n, k); {
		case sum == nil:
			sum = d
		case d != nil:
			sum = Add(sum, d)
		}
	}
	return sum
}

// transposed is the derivative of any operation with a gradient. Its gradient g(u) is linear
// in u, so that the derivative of <g(u), v> by u is the derivative of the operation along v.
func (p pass) transposed(n *Node) *Node {
	gradient := VJPRegistration[n.Type()]
	if gradient == nil || n.NumOutputs() != 1 || n.Type() == NodeTypeReduceWindow {
		panic(&UnknownError{n.Type().String()})
	}
	u := Neg(ZerosLike(n)) // a node of its own: constants are shared
	var sum *Node
	for k, g := range gradient(n, []*Node{u}, shapes.Make(n.DType())) {
		d := p[n.Inputs()[k]]
		if g == nil || d == nil {
			continue
		}
		product := ReduceAllSum(Mul(g, d))
		if sum == nil {
			sum = product
		} else {
			sum = Add(sum, product)
		}
	}
	if sum == nil {
		return nil
	}
	return Gradient(sum, u)[0]
}
