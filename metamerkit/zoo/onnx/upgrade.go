package onnx

import (
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"
)

// settings lists the operators that once took their settings as attributes and
// now take them as inputs, with the settings in the order of the inputs. The
// importer reads inputs only: it fails on an old Slice or Pad, and ignores the
// bounds of an old Clip.
var settings = map[string][]string{
	"Slice": {"starts", "ends", "axes"}, // inputs since opset 10
	"Clip":  {"min", "max"},             // 11
	"Pad":   {"pads", "value"},          // 11
}

// upgrade turns settings that are attributes into inputs.
func upgrade(g *protos.GraphProto) error {
	taken := map[string]bool{}
	for _, t := range g.Initializer {
		taken[t.Name] = true
	}
	for _, n := range g.Node {
		for _, o := range n.Output {
			taken[o] = true
		}
	}
	for _, n := range g.Node {
		names, ok := settings[n.OpType]
		if !ok || len(n.Input) != 1 {
			continue
		}
		for _, name := range names {
			a := find(n, name)
			if a == nil {
				n.Input = append(n.Input, "")
				continue
			}
			t := &protos.TensorProto{Name: n.Output[0] + "." + name}
			switch a.Type {
			case protos.AttributeProto_INTS:
				t.DataType, t.Dims, t.Int64Data = int32(protos.TensorProto_INT64), []int64{int64(len(a.Ints))}, a.Ints
			case protos.AttributeProto_FLOAT:
				t.DataType, t.FloatData = int32(protos.TensorProto_FLOAT), []float32{a.F}
			default:
				return fmt.Errorf("node %q (%s): %s is of type %v", n.Name, n.OpType, name, a.Type)
			}
			for ; taken[t.Name]; t.Name += "_" {
			}
			taken[t.Name] = true
			g.Initializer = append(g.Initializer, t)
			n.Input = append(n.Input, t.Name)
			remove(n, name)
		}
		for len(n.Input) > 1 && n.Input[len(n.Input)-1] == "" {
			n.Input = n.Input[:len(n.Input)-1]
		}
	}
	return nil
}
