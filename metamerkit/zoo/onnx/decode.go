package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"google.golang.org/protobuf/proto"
)

// Limits of what is read: protobuf's own, and a graph far larger than any model.
const (
	maxBytes = 2 << 30
	maxNodes = 100_000
)

// decode reads a model and checks what all else relies on: names are defined once and
// before they are read.
func decode(data []byte) (*protos.ModelProto, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%d bytes, expected at most %d", len(data), maxBytes)
	}
	m := &protos.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("it is no ONNX model: %s", otherFile(data))
	}
	g := m.Graph
	switch {
	case g == nil || len(g.Node) == 0:
		return nil, errors.New("it is no ONNX model: it has no graph; it may be cut, or be the .data file beside a model")
	case len(g.Node) > maxNodes:
		return nil, fmt.Errorf("%d nodes, expected at most %d", len(g.Node), maxNodes)
	case len(g.SparseInitializer) > 0:
		return nil, errors.New("sparse tensors are not supported")
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
		if err := define(t.GetName()); err != nil {
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
		for _, in := range n.GetInput() {
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
	for _, o := range g.Output {
		if !known[o.GetName()] {
			return nil, fmt.Errorf("no node computes the output %q", o.GetName())
		}
	}
	return m, nil
}

// otherFile says what a file that is no ONNX model is or may be.
func otherFile(data []byte) string {
	head := bytes.TrimSpace(data[:min(len(data), 64)])
	switch {
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return "it is a Git LFS pointer; fetch the file itself (git lfs pull)"
	case bytes.HasPrefix(head, []byte("<")):
		return "it is a web page (HTML or XML), not the file itself; download it again"
	case bytes.HasPrefix(head, []byte("PK")):
		return "it is a zip archive, as torch.save writes them; export with torch.onnx.export, or add a state dict with --arch and --weights"
	}
	return "it may be cut, or be the .data file beside a model; give the .onnx file, whole"
}

func checkNode(n *protos.NodeProto) error {
	if n == nil || len(n.Output) == 0 || n.Output[0] == "" {
		return fmt.Errorf("node %q has no output", n.GetName())
	}
	for _, a := range n.Attribute {
		if (a.GetG() != nil || len(a.GetGraphs()) > 0) && n.OpType != "If" && n.OpType != "Loop" && n.OpType != "Scan" {
			return fmt.Errorf("node %q (%s) holds a graph of its own, which is not supported", n.Name, n.OpType)
		}
		if a.GetSparseTensor() != nil || len(a.GetSparseTensors()) > 0 {
			return fmt.Errorf("node %q (%s) holds a sparse tensor, which is not supported", n.Name, n.OpType)
		}
	}
	return nil
}

// opsetOf is the version of the standard operators that a list of imports states.
func opsetOf(imports []*protos.OperatorSetIdProto) int {
	for _, o := range imports {
		if o.GetDomain() == "" || o.GetDomain() == "ai.onnx" {
			return int(o.GetVersion())
		}
	}
	return 0
}

// onlyOutput is the name of the output, which must be one.
func onlyOutput(g *protos.GraphProto) (string, error) {
	if len(g.Output) != 1 {
		return "", fmt.Errorf("%d outputs (%s), expected one, the logits: wrap the model so that forward returns the logits only, and export that", len(g.Output), namesOf(g.Output))
	}
	return g.Output[0].GetName(), nil
}

// namesOf lists names in quotes, at most eight.
func namesOf(list []*protos.ValueInfoProto) string {
	var out []string
	for i, v := range list {
		if i == 8 {
			out = append(out, "…")
			break
		}
		out = append(out, strconv.Quote(v.GetName()))
	}
	return strings.Join(out, ", ")
}

// imageInput finds the image input, float32 [N,3,S,S] or [N,S,S,3] with N dynamic or 1,
// and says whether its channels come last. Inputs that have an initializer are no inputs.
func imageInput(g *protos.GraphProto, size int) (name string, last bool, err error) {
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
	if len(inputs) != 1 {
		return "", false, fmt.Errorf("%d inputs (%s), expected one, the images: wrap the model so that forward takes images only, and export that", len(inputs), namesOf(inputs))
	}
	t, name := inputs[0].GetType().GetTensorType(), inputs[0].Name
	dims := t.GetShape().GetDim()
	kind := protos.TensorProto_DataType(t.GetElemType())
	if computed(kinds[kind]) != dtypes.Float32 || len(dims) != 4 {
		return "", false, fmt.Errorf("input %q is %v with %d axes, expected FLOAT or FLOAT16 [N,3,%d,%d]: export model.float() with an example of one float32 image", name, kind, len(dims), size, size)
	}
	fixed := func(i int) (int64, bool) {
		v, ok := dims[i].GetValue().(*protos.TensorShapeProto_Dimension_DimValue)
		if !ok {
			return 0, false
		}
		return v.DimValue, true
	}
	if n, ok := fixed(0); ok && n != 1 {
		return "", false, fmt.Errorf("input %q has a fixed batch of %d images; export the model with an example of one image, or with a dynamic batch axis (dynamic_shapes={\"x\": {0: \"batch\"}} or, with dynamo=False, dynamic_axes={\"x\": {0: \"batch\"}})", name, n)
	}
	first, hasFirst := fixed(1)
	end, hasEnd := fixed(3)
	last = hasEnd && end == 3 && !(hasFirst && first == 3 && size != 3)
	want := []int64{0, 3, int64(size), int64(size)}
	if last {
		want = []int64{0, int64(size), int64(size), 3}
	}
	axis := slices.Index(want, int64(size))
	height, fixedHeight := fixed(axis)
	width, fixedWidth := fixed(axis + 1)
	if fixedHeight && fixedWidth && height != width {
		return "", false, fmt.Errorf("input %q reads images of %d×%d pixels (height × width), expected square ones: export with an example of S×S pixels", name, height, width)
	}
	for i := 1; i < 4; i++ {
		if v, ok := fixed(i); ok && v != want[i] {
			hint := ""
			if want[i] == int64(size) {
				hint = fmt.Sprintf(": the model reads images of %d pixels (--size %d)", v, v)
			}
			return "", false, fmt.Errorf("input %q has %d at axis %d, expected [N,3,%d,%d] or [N,%d,%d,3]%s", name, v, i, size, size, size, size, hint)
		}
	}
	return name, last, nil
}
