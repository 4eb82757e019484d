package onnx

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute-onnx/support/protos"
	gomlxonnx "github.com/gomlx/onnx-gomlx/onnx"
	"google.golang.org/protobuf/proto"
)

// Limits of what is read: protobuf's own, and a graph far larger than any model
// (the importer recurses along the graph).
const (
	maxBytes = 2 << 30
	maxNodes = 100_000
)

// noExternalData refuses tensors that lie in other files.
type noExternalData struct{}

func (noExternalData) ReadInto(i gomlxonnx.ExternalDataInfo, _ []byte) error {
	return fmt.Errorf("external data in %q is not read", i.Location)
}

func (noExternalData) Close() error { return nil }

// decode reads a model and checks what all else relies on: every tensor holds as
// many elements as its shape says, inside the file, and the nodes are in an order
// in which each one's inputs come before it.
func decode(data []byte) (*protos.ModelProto, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%d bytes, expected at most %d", len(data), maxBytes)
	}
	m := &protos.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("it is no ONNX model: %w", err)
	}
	g := m.Graph
	switch {
	case g == nil || len(g.Node) == 0:
		return nil, errors.New("it is no ONNX model: it has no graph")
	case len(g.Node) > maxNodes:
		return nil, fmt.Errorf("%d nodes, expected at most %d", len(g.Node), maxNodes)
	case len(m.Functions) > 0 || len(g.SparseInitializer) > 0:
		return nil, errors.New("functions and sparse tensors are not supported")
	}
	known := map[string]bool{}
	define := func(name string) error {
		if name == "" || known[name] {
			return fmt.Errorf("tensor %q is defined twice or has no name", name)
		}
		known[name] = true
		return nil
	}
	for _, t := range g.Initializer {
		if err := checkTensor(t); err != nil {
			return nil, err
		}
		if err := define(t.Name); err != nil {
			return nil, err
		}
	}
	for _, in := range g.Input {
		if in != nil && known[in.Name] {
			continue // until IR version 3 initializers were inputs too
		}
		if err := define(in.GetName()); err != nil {
			return nil, err
		}
	}
	for _, n := range g.Node {
		for _, in := range n.Input {
			if in != "" && !known[in] {
				return nil, fmt.Errorf("node %q reads tensor %q before it is computed", n.Name, in)
			}
		}
		if err := checkNode(n); err != nil {
			return nil, err
		}
		for _, o := range n.Output {
			if o == "" {
				continue // an output that nobody wants
			}
			if err := define(o); err != nil {
				return nil, err
			}
		}
	}
	if len(g.Output) != 1 || !known[g.Output[0].GetName()] {
		return nil, fmt.Errorf("%d outputs, expected one that a node computes", len(g.Output))
	}
	return m, nil
}

func checkNode(n *protos.NodeProto) error {
	if len(n.Output) == 0 || n.Output[0] == "" {
		return fmt.Errorf("node %q has no output", n.Name)
	}
	for _, a := range n.Attribute {
		if a.G != nil || len(a.Graphs) > 0 {
			return fmt.Errorf("node %q (%s) holds a graph of its own, which is not supported", n.Name, n.OpType)
		}
		if a.SparseTensor != nil || len(a.SparseTensors) > 0 {
			return fmt.Errorf("node %q (%s) holds a sparse tensor, which is not supported", n.Name, n.OpType)
		}
		for _, t := range append(a.Tensors, a.T) {
			if t == nil {
				continue
			}
			if err := checkTensor(t); err != nil {
				return fmt.Errorf("node %q: %w", n.Name, err)
			}
		}
	}
	return nil
}

// bytesOf is the width of the element types that are read.
var bytesOf = map[protos.TensorProto_DataType]int{
	protos.TensorProto_FLOAT: 4, protos.TensorProto_DOUBLE: 8, protos.TensorProto_INT64: 8, protos.TensorProto_INT32: 4,
	protos.TensorProto_INT16: 2, protos.TensorProto_INT8: 1, protos.TensorProto_UINT8: 1, protos.TensorProto_BOOL: 1,
}

func checkTensor(t *protos.TensorProto) error {
	if t.DataLocation != protos.TensorProto_DEFAULT || len(t.ExternalData) > 0 {
		return fmt.Errorf("tensor %q lies in another file; export the model as one file", t.Name)
	}
	kind := protos.TensorProto_DataType(t.DataType)
	width, ok := bytesOf[kind]
	if !ok || t.Segment != nil {
		return fmt.Errorf("tensor %q is of type %v, expected float, double, integers or bool in one piece", t.Name, kind)
	}
	have := len(t.RawData) / width
	if len(t.RawData) == 0 {
		have = len(t.FloatData) + len(t.DoubleData) + len(t.Int32Data) + len(t.Int64Data)
	}
	n := 1
	for _, d := range t.Dims {
		if d < 0 || d > maxBytes || d > 0 && n > maxBytes/int(d) {
			return fmt.Errorf("tensor %q has the shape %v", t.Name, t.Dims)
		}
		n *= int(d)
	}
	if n != have || len(t.RawData)%width != 0 {
		return fmt.Errorf("tensor %q %v needs %d elements, the file holds %d", t.Name, t.Dims, n, have)
	}
	return nil
}

// checkInput returns the name of the image input, float32 [N,3,size,size]. Inputs
// that have an initializer are taken off the list.
func checkInput(g *protos.GraphProto, size int) (string, error) {
	given := map[string]bool{}
	for _, t := range g.Initializer {
		given[t.Name] = true
	}
	var inputs []*protos.ValueInfoProto
	for _, in := range g.Input {
		if !given[in.Name] {
			inputs = append(inputs, in)
		}
	}
	if g.Input = inputs; len(inputs) != 1 {
		return "", fmt.Errorf("%d inputs without a value, expected one", len(inputs))
	}
	t := inputs[0].GetType().GetTensorType()
	dims := t.GetShape().GetDim()
	if protos.TensorProto_DataType(t.GetElemType()) != protos.TensorProto_FLOAT || len(dims) != 4 {
		return "", fmt.Errorf("input %q is %v with %d axes, expected FLOAT [N,3,%d,%d]", inputs[0].Name, protos.TensorProto_DataType(t.GetElemType()), len(dims), size, size)
	}
	for i, want := range []int64{0, 3, int64(size), int64(size)} {
		if v, fixed := dims[i].GetValue().(*protos.TensorShapeProto_Dimension_DimValue); fixed && v.DimValue != want {
			if i == 0 {
				return "", fmt.Errorf("input %q has a fixed batch of %d images; export the model with a dynamic batch axis", inputs[0].Name, v.DimValue)
			}
			return "", fmt.Errorf("input %q has %d at axis %d, expected [N,3,%d,%d]", inputs[0].Name, v.DimValue, i, size, size)
		}
	}
	return inputs[0].Name, nil
}
