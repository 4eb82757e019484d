package onnx_test

import (
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestHalf casts to a narrow type, squares, subtracts a constant of that type and casts
// back. The result is that of float32: in float16 the last square would be infinite.
func TestHalf(t *testing.T) {
	to := func(n *protos.NodeProto, kind protos.TensorProto_DataType) *protos.NodeProto {
		n.Attribute = []*protos.AttributeProto{{Name: "to", Type: protos.AttributeProto_INT, I: int64(kind)}}
		return n
	}
	for _, kind := range []protos.TensorProto_DataType{protos.TensorProto_FLOAT16, protos.TensorProto_BFLOAT16} {
		quarter := &protos.NodeProto{OpType: "Constant", Output: []string{"quarter"}, Attribute: []*protos.AttributeProto{{Name: "value_float", Type: protos.AttributeProto_FLOAT, F: .25}}}
		x := floats([]int{3}, 1.0009765625, 3.0014, 300.25)
		list := []*packed{graph(t, "Cast/"+kind.String(), map[string]value{"in/x": x,
			"out/y": floats(x.dims, 1.00195407867-.25, 9.00840196-.25, 90150.0625-.25), "cot/y": floats(x.dims, 1, 1, 1),
			"grad/x": floats(x.dims, 2.001953125, 6.0028, 600.5)},
			to(node("Cast", "h", "x"), kind), node("Mul", "s", "h", "h"), quarter, to(node("Cast", "t", "quarter"), kind), node("Sub", "u", "s", "t"), to(node("Cast", "y", "u"), protos.TensorProto_FLOAT))}
		list[0].half = false
		backendtest.Each(t, func(t *testing.T, b *backend.Backend) { right(t, b, list, 1e-5) })
	}
}
