package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// TestRefused changes one thing in a good file and expects a *FileError that
// names the problem.
func TestRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	node := func(m *protos.ModelProto, name string) *protos.NodeProto {
		return m.Graph.Node[slices.IndexFunc(m.Graph.Node, func(n *protos.NodeProto) bool { return n.Name == name })]
	}
	text := func(name, value string) *protos.AttributeProto {
		return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_STRING, S: []byte(value)}
	}
	ints := func(name string, v ...int64) *protos.AttributeProto {
		return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: v}
	}
	for name, c := range map[string]struct {
		change func(m *protos.ModelProto)
		want   string
	}{
		"no graph":      {func(m *protos.ModelProto) { m.Graph = nil }, "no graph"},
		"cycle":         {func(m *protos.ModelProto) { node(m, "conv1").Input[0] = "c3" }, "before it is computed"},
		"defined twice": {func(m *protos.ModelProto) { node(m, "conv2").Output[0] = "c1" }, "twice"},
		"external data": {func(m *protos.ModelProto) {
			m.Graph.Initializer[0].DataLocation = protos.TensorProto_EXTERNAL
		}, "another file"},
		"huge shape":   {func(m *protos.ModelProto) { m.Graph.Initializer[0].Dims[0] = 1 << 40 }, "has the shape"},
		"short tensor": {func(m *protos.ModelProto) { m.Graph.Initializer[0].Dims[0]++ }, "elements"},
		"subgraph":     {func(m *protos.ModelProto) { node(m, "conv1").Attribute[0].G = &protos.GraphProto{Name: "inner"} }, "graph of its own"},
		"fixed batch":  {func(m *protos.ModelProto) { setBatch(m, 2) }, "fixed batch"},
		"old opset":    {func(m *protos.ModelProto) { m.OpsetImport[0].Version = 6 }, "opset 6"},
		"padding of no kind": {func(m *protos.ModelProto) {
			n := node(m, "conv1")
			n.Attribute = append(n.Attribute, text("auto_pad", "SAME"))
		}, "auto_pad"},
		"attribute of no operator": {func(m *protos.ModelProto) {
			n := node(m, "conv1")
			n.Attribute = append(n.Attribute, text("activation", "Relu"))
		}, "node \"conv1\" (Conv, opset 13), activation"},
		"operator of another domain": {func(m *protos.ModelProto) { node(m, "relu1").Domain = "com.microsoft" }, "com.microsoft"},
		"training mode": {func(m *protos.ModelProto) {
			n := node(m, "drop")
			n.Input = []string{n.Input[0], n.Input[1], "on"}
			m.Graph.Initializer = append(m.Graph.Initializer, &protos.TensorProto{Name: "on", DataType: int32(protos.TensorProto_BOOL), Int32Data: []int32{1}})
		}, "export model.eval()"},
		"training mode before opset 14": {func(m *protos.ModelProto) {
			normalised(m, node(m, "relu1"), "y2", "y3")
		}, "BatchNormalization, opset 13), training_mode: it is 1"},
		"negative variance": {func(m *protos.ModelProto) {
			normalised(m, node(m, "relu1"))
			m.Graph.Initializer[len(m.Graph.Initializer)-1].FloatData[1] = -1
		}, `input "variance": it holds the variance -1`},
		"operator with a hint": {func(m *protos.ModelProto) { node(m, "relu1").OpType = "TopK" }, "x.amax(dim) and F.max_pool2d are supported"},
		"unknown operator":     {func(m *protos.ModelProto) { node(m, "relu1").OpType = "Quux" }, "write this part of the model with other operators"},
		"double input": {func(m *protos.ModelProto) {
			m.Graph.Input[0].Type.GetTensorType().ElemType = int32(protos.TensorProto_DOUBLE)
		}, "export model.float()"},
		"no square":       {func(m *protos.ModelProto) { setSize(m, 32, 48) }, "reads images of 32×48 pixels"},
		"another size":    {func(m *protos.ModelProto) { setSize(m, 32, 32) }, "the model reads images of 32 pixels (--size 32)"},
		"computed kernel": {func(m *protos.ModelProto) { node(m, "conv3").Input[1] = "c2" }, "expected an initializer"},
		"wrong kernel size": {func(m *protos.ModelProto) {
			n := node(m, "conv2")
			n.Attribute = append(n.Attribute, ints("kernel_shape", 3, 3))
		}, "kernel_shape is [3 3]"},
		"two outputs": {func(m *protos.ModelProto) {
			m.Graph.Output = append(m.Graph.Output, &protos.ValueInfoProto{Name: "c1"})
		}, `2 outputs ("y", "c1"), expected one, the logits: wrap the model`},
		"two inputs": {func(m *protos.ModelProto) {
			m.Graph.Input = append(m.Graph.Input, &protos.ValueInfoProto{Name: "mask"})
		}, `2 inputs ("image", "mask"), expected one, the images: wrap the model`},
		"dot name": {func(m *protos.ModelProto) {
			m.Graph.Initializer[1].Name = ".."
			node(m, "conv1").Input[2] = ".."
		}, "cannot be told"},
	} {
		var m protos.ModelProto
		if err := proto.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		c.change(&m)
		bad, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "bad.onnx")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = onnx.Open(plain(9), path)
		var e *onnx.FileError
		if !errors.As(err, &e) || !strings.Contains(e.Problem, c.want) || e.Path != path {
			t.Errorf("%s: got %v, expected a FileError with %q", name, err, c.want)
		}
	}
}

func setBatch(m *protos.ModelProto, n int64) {
	m.Graph.Input[0].Type.GetTensorType().Shape.Dim[0].Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: n}
}

func setSize(m *protos.ModelProto, height, width int64) {
	dims := m.Graph.Input[0].Type.GetTensorType().Shape.Dim
	dims[2].Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: height}
	dims[3].Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: width}
}

// normalised makes n a batch normalisation with more outputs, which are not read.
func normalised(m *protos.ModelProto, n *protos.NodeProto, more ...string) {
	n.OpType, n.Output = "BatchNormalization", append(n.Output, more...)
	for _, name := range []string{"scale", "shift", "mean", "variance"} {
		n.Input = append(n.Input, name)
		m.Graph.Initializer = append(m.Graph.Initializer, &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_FLOAT), Dims: []int64{4}, FloatData: []float32{1, 1, 1, 1}})
	}
}

// TestHalfInput opens a file whose input and output are float16. Its numbers are those of
// float32.
func TestHalfInput(t *testing.T) {
	data, err := os.ReadFile("testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var m protos.ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*protos.ValueInfoProto{m.Graph.Input[0], m.Graph.Output[0]} {
		v.Type.GetTensorType().ElemType = int32(protos.TensorProto_FLOAT16)
	}
	if data, err = proto.Marshal(&m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "half.onnx")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open("testdata/small.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	c := plain(9)
	net, err := onnx.Open(c, path)
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := run(t, backendtest.Open(t, backend.Go), net, c.Input, read(t, f, "images"), "fc", stage.Options{}, along(read(t, f, "fc.direction")))
	near(t, "logits", v, read(t, f, "fc.value").Float)
}

// TestNaN damages a kernel. The message names it as the file does.
func TestNaN(t *testing.T) {
	data, err := os.ReadFile("testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var m protos.ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(m.Graph.Initializer, func(t *protos.TensorProto) bool { return t.Name == "k2" })
	copy(m.Graph.Initializer[i].RawData, []byte{0, 0, 0xc0, 0x7f})
	if data, err = proto.Marshal(&m); err != nil {
		t.Fatal(err)
	}
	c := plain(9)
	c.Weights.File = "nan.onnx"
	path := filepath.Join(t.TempDir(), c.Weights.File)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var e *zoo.NotFiniteError
	if _, err := zoo.Open(c, path); !errors.As(err, &e) || e.Tensor != "k2" || e.Count != 1 {
		t.Errorf("got %v, expected a NotFiniteError of tensor k2", err)
	}
}

// TestCard checks what the card says against the file.
func TestCard(t *testing.T) {
	c := plain(9)
	c.Weights.SHA256 = strings.Repeat("0", 64)
	var sum *weights.ChecksumError
	if _, err := onnx.Open(c, "testdata/small.onnx"); !errors.As(err, &sum) {
		t.Errorf("wrong checksum: got %v, expected a ChecksumError", err)
	}
	var e *onnx.FileError
	if _, err := onnx.Open(plain(10), "testdata/small.onnx"); !errors.As(err, &e) {
		t.Errorf("wrong size: got %v, expected a FileError", err)
	}
	c = plain(9)
	c.Stages = map[string]card.Layer{"late": {Layer: "conv9"}}
	if _, err := onnx.Open(c, "testdata/small.onnx"); !errors.As(err, &e) || !strings.Contains(e.Problem, `"conv9"`) {
		t.Errorf("stage without a node: got %v, expected a FileError", err)
	}
	c = plain(9)
	c.Classes = 7
	net, err := onnx.Open(c, "testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := net.Reads(c.Input, "logits"); err == nil || !strings.Contains(err.Error(), "expected [1 7]") {
		t.Errorf("5 classes where the card says 7: got %v", err)
	}
}

// TestOtherFiles opens files that are no models.
func TestOtherFiles(t *testing.T) {
	good, err := os.ReadFile("testdata/small.onnx")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:0": "Git LFS pointer",
		"<html>404</html>":              "web page",
		"PK\x03\x04\x00\x00\x08\x08":    "torch.onnx.export",
		string(good[:len(good)/2]):      "may be cut",
		strings.Repeat("\xbd\xff", 100): ".data file",
	} {
		path := filepath.Join(t.TempDir(), "other.onnx")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var e *onnx.FileError
		if _, err := onnx.Open(plain(9), path); !errors.As(err, &e) || !strings.Contains(e.Problem, want) {
			t.Errorf("got %v, expected a FileError with %q", err, want)
		}
	}
}

// FuzzONNX opens any bytes as a file. The only ways to fail are a panic and an
// error of another type.
func FuzzONNX(f *testing.F) {
	for _, name := range []string{"small", "old", "max321"} {
		data, err := os.ReadFile("testdata/" + name + ".onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	path := filepath.Join(f.TempDir(), "fuzz.onnx")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := onnx.Open(plain(9), path)
		var e *onnx.FileError
		if err != nil && !errors.As(err, &e) {
			t.Errorf("got %T %v, expected a FileError", err, err)
		}
	})
}
