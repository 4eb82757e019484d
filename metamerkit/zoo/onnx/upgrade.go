package onnx

import "github.com/gomlx/compute-onnx/support/protos"

// upgradeSlice rewrites Slice as it was before opset 10, with its bounds as
// attributes, to the later form with bounds as inputs, the only one that
// onnx-gomlx v0.5.3 reads (docs/upstream.md).
func upgradeSlice(g *protos.GraphProto) {
	for _, n := range g.Node {
		if n.GetOpType() != "Slice" || len(n.Input) != 1 {
			continue
		}
		bounds := map[string][]int64{}
		for _, a := range n.Attribute {
			bounds[a.GetName()] = a.Ints
		}
		n.Attribute = nil
		if bounds["axes"] == nil {
			for i := range bounds["starts"] {
				bounds["axes"] = append(bounds["axes"], int64(i))
			}
		}
		for _, b := range []string{"starts", "ends", "axes"} {
			name := n.Output[0] + "." + b
			g.Initializer = append(g.Initializer, &protos.TensorProto{
				Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(bounds[b]))}, Int64Data: bounds[b],
			})
			n.Input = append(n.Input, name)
		}
	}
}
