package onnx_test

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// TestTies holds gradients of extreme values that several elements share against those of
// torch.amax, amin, maximum, minimum, linalg.vector_norm, softmax and logsumexp; of three inputs,
// of amax and amin of their stack.
func TestTies(t *testing.T) {
	x := floats([]int{1, 1, 2, 4}, 3, 3, 1, 2, 3, 0, 2, 2)
	pair := floats([]int{1, 1, 2, 4}, 3, 3, 1, 2, -4, 0, 2, -4)
	a, b := floats([]int{4}, 3, 3, 1, 2), floats([]int{4}, 3, 0, 2, 2)
	c, count := floats([]int{4}, 3, 1, 2, 2), floats([]int{4}, 1, 2, 3, 4)
	row := floats([]int{1, 1, 1, 4}, 1, 2, 3, 4)
	six := floats([]int{1, 1, 1, 1}, 6)
	list := []*packed{
		graph(t, "ReduceMax/rows", map[string]value{"in/x": x, "out/y": floats(row.dims, 3, 3, 2, 2), "cot/y": row,
			"grad/x": floats(x.dims, .5, 2, 0, 2, .5, 0, 3, 2)}, node("ReduceMax", "y", "x", "axis2")),
		graph(t, "ReduceMin/rows", map[string]value{"in/x": x, "out/y": floats(row.dims, 3, 0, 1, 2), "cot/y": row,
			"grad/x": floats(x.dims, .5, 0, 3, 2, .5, 2, 0, 2)}, node("ReduceMin", "y", "x", "axis2")),
		graph(t, "ReduceMin/all", map[string]value{"in/x": pair, "out/y": floats(six.dims, -4), "cot/y": six,
			"grad/x": floats(x.dims, 0, 0, 0, 0, 3, 0, 0, 3)}, node("ReduceMin", "y", "x")),
		graph(t, "GlobalMaxPool/all", map[string]value{"in/x": pair, "out/y": floats(six.dims, 3), "cot/y": six,
			"grad/x": floats(x.dims, 3, 3, 0, 0, 0, 0, 0, 0)}, node("GlobalMaxPool", "y", "x")),
		graph(t, "ReduceMax/infinity norm", map[string]value{"in/x": pair, "out/y": floats(six.dims, 4), "cot/y": six,
			"grad/x": floats(x.dims, 0, 0, 0, 0, -3, 0, 0, -3)}, node("Abs", "a", "x"), node("ReduceMax", "y", "a")),
		graph(t, "ReduceMax/upsampled", map[string]value{"in/x": floats([]int{1, 1, 2, 2}, 5, 1, 2, 3), "out/y": floats(six.dims, 5), "cot/y": six,
			"grad/x": floats([]int{1, 1, 2, 2}, 6, 0, 0, 0)}, node("Resize", "u", "x", "", "twice"), node("ReduceMax", "y", "u")),
		graph(t, "ReduceLogSumExp/rows", map[string]value{"in/x": pair, "out/y": floats([]int{1, 1, 2, 1}, 3.9175758361816406, 2.1312849521636963), "cot/y": floats([]int{1, 1, 2, 1}, 1, 2),
			"grad/x": floats(x.dims, .3994863033294678, .3994863033294678, .054064590483903885, .14696279168128967, .004347573034465313, .2373693883419037, 1.753935694694519, .004347573034465313)}, node("ReduceLogSumExp", "y", "x", "axis3")),
		graph(t, "Max/two", map[string]value{"in/a": a, "in/b": b, "out/y": floats(a.dims, 3, 3, 2, 2), "cot/y": count,
			"grad/a": floats(a.dims, .5, 2, 0, 2), "grad/b": floats(a.dims, .5, 0, 3, 2)}, node("Max", "y", "a", "b")),
		graph(t, "Min/two", map[string]value{"in/a": a, "in/b": b, "out/y": floats(a.dims, 3, 0, 1, 2), "cot/y": count,
			"grad/a": floats(a.dims, .5, 0, 3, 2), "grad/b": floats(a.dims, .5, 2, 0, 2)}, node("Min", "y", "a", "b")),
		graph(t, "Max/three", map[string]value{"in/a": a, "in/b": b, "in/c": c, "out/y": floats(a.dims, 3, 3, 2, 2), "cot/y": count,
			"grad/a": floats(a.dims, 1./3, 2, 0, 4./3), "grad/b": floats(a.dims, 1./3, 0, 1.5, 4./3), "grad/c": floats(a.dims, 1./3, 0, 1.5, 4./3)}, node("Max", "y", "a", "b", "c")),
		graph(t, "Min/three", map[string]value{"in/a": a, "in/b": b, "in/c": c, "out/y": floats(a.dims, 3, 0, 1, 2), "cot/y": count,
			"grad/a": floats(a.dims, 1./3, 0, 3, 4./3), "grad/b": floats(a.dims, 1./3, 2, 0, 4./3), "grad/c": floats(a.dims, 1./3, 0, 0, 4./3)}, node("Min", "y", "a", "b", "c")),
		graph(t, "ReduceProd/zeros", map[string]value{"in/x": floats([]int{1, 1, 1, 5}, 2, 0, 3, .5, 1), "out/y": floats([]int{1, 1, 1, 1}, 0), "cot/y": floats([]int{1, 1, 1, 1}, 2),
			"grad/x": floats([]int{1, 1, 1, 5}, 0, 6, 0, 0, 0)}, node("ReduceProd", "y", "x", "axis3")),
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) { right(t, b, list, 1e-4) })
}

// right expects all cases to be computed rightly, with their gradients.
func right(t *testing.T, b *backend.Backend, list []*packed, tolerance float64) {
	t.Helper()
	for name, o := range runCases(b, list, true, tolerance) {
		if o.wrong != "" || o.refused != nil {
			t.Errorf("%s: %s %v", name, o.wrong, o.refused)
		}
	}
}

func floats(dims []int, flat ...float64) value { return value{kind: 'f', dims: dims, flat: flat} }

// node is a node without attributes.
func node(op, out string, in ...string) *protos.NodeProto {
	return &protos.NodeProto{OpType: op, Name: op, Input: in, Output: []string{out}}
}

// graph is a case of opset 18 whose inputs and outputs are those of tensors, in the order
// of the alphabet. The constants axis2, axis3 and twice may be read.
func graph(t *testing.T, name string, tensors map[string]value, nodes ...*protos.NodeProto) *packed {
	t.Helper()
	g := &protos.GraphProto{Name: "test", Node: nodes, Initializer: []*protos.TensorProto{
		{Name: "axis2", DataType: int32(protos.TensorProto_INT64), Dims: []int64{1}, RawData: binary.LittleEndian.AppendUint64(nil, 2)},
		{Name: "axis3", DataType: int32(protos.TensorProto_INT64), Dims: []int64{1}, RawData: binary.LittleEndian.AppendUint64(nil, 3)},
		{Name: "twice", DataType: int32(protos.TensorProto_FLOAT), Dims: []int64{4}, FloatData: []float32{1, 1, 2, 2}},
	}}
	for _, n := range slices.Sorted(maps.Keys(tensors)) {
		if in, ok := strings.CutPrefix(n, "in/"); ok {
			g.Input = append(g.Input, &protos.ValueInfoProto{Name: in})
		} else if out, ok := strings.CutPrefix(n, "out/"); ok {
			g.Output = append(g.Output, &protos.ValueInfoProto{Name: out})
		}
	}
	data, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 18}}})
	if err != nil {
		t.Fatal(err)
	}
	c := &packed{name: name, model: data, tensors: tensors}
	if err := c.look(); err != nil {
		t.Fatal(err)
	}
	return c
}
