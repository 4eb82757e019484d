package onnx_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"

	. "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// packed is a case of a file that testdata/scripts/onnx_pack.py wrote: a model, its
// inputs and its right outputs. The name begins with the operator and a slash.
type packed struct {
	name    string
	model   []byte           // nil: it is not packed
	in, out []string         // in the order of the file
	half    bool             // it computes or has numbers in float16
	tensors map[string]value // "in/X", "out/Y"; of some "cot/Y" and "grad/X"
}

func (c *packed) op() string {
	op, _, _ := strings.Cut(c.name, "/")
	return op
}

// value is a tensor of a case or of a result. Integers and booleans have kind 'i' and
// 'b', all else 'f'.
type value struct {
	kind byte
	dims []int
	flat []float64
}

// float32s returns the elements as float32.
func (v value) float32s() []float32 {
	out := make([]float32, len(v.flat))
	for i, x := range v.flat {
		out[i] = float32(x)
	}
	return out
}

// cases reads a packed file in the order in which it was written.
func cases(t testing.TB, path string) []*packed {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var list []*packed
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %s: %v", path, h.Name, err)
		}
		if name, ok := strings.CutSuffix(h.Name, ".onnx"); ok {
			list = append(list, &packed{name: name, model: data})
			continue
		}
		name := strings.TrimSuffix(h.Name, ".pb")
		if len(list) == 0 || list[len(list)-1].name != name {
			list = append(list, &packed{name: name})
		}
		c := list[len(list)-1]
		if c.tensors, err = bag(data); err == nil && c.model != nil {
			err = c.look()
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", path, h.Name, err)
		}
	}
}

// bag reads the tensors of a case.
func bag(data []byte) (map[string]value, error) {
	var g protos.GraphProto
	if err := proto.Unmarshal(data, &g); err != nil {
		return nil, err
	}
	out := map[string]value{}
	for _, t := range g.Initializer {
		v, err := decodeValue(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		out[t.Name] = v
	}
	return out, nil
}

func decodeValue(t *protos.TensorProto) (value, error) {
	v := value{kind: 'f'}
	n := 1
	for _, d := range t.Dims {
		v.dims, n = append(v.dims, int(d)), n*int(d)
	}
	raw := t.RawData
	each := func(width int, read func(b []byte) float64) error {
		if len(raw) != n*width {
			return fmt.Errorf("%d bytes, expected %d of %v", len(raw), n*width, t.Dims)
		}
		for i := range n {
			v.flat = append(v.flat, read(raw[i*width:]))
		}
		return nil
	}
	le := binary.LittleEndian
	switch protos.TensorProto_DataType(t.DataType) {
	case protos.TensorProto_FLOAT:
		return v, each(4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) })
	case protos.TensorProto_DOUBLE:
		return v, each(8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case protos.TensorProto_FLOAT16:
		return v, each(2, func(b []byte) float64 { return float64(float16.FromBits(le.Uint16(b)).Float32()) })
	}
	v.kind = 'i'
	switch protos.TensorProto_DataType(t.DataType) {
	case protos.TensorProto_BOOL:
		v.kind = 'b'
		return v, each(1, func(b []byte) float64 { return float64(b[0]) })
	case protos.TensorProto_UINT8:
		return v, each(1, func(b []byte) float64 { return float64(b[0]) })
	case protos.TensorProto_INT8:
		return v, each(1, func(b []byte) float64 { return float64(int8(b[0])) })
	case protos.TensorProto_UINT16:
		return v, each(2, func(b []byte) float64 { return float64(le.Uint16(b)) })
	case protos.TensorProto_INT16:
		return v, each(2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) })
	case protos.TensorProto_UINT32:
		return v, each(4, func(b []byte) float64 { return float64(le.Uint32(b)) })
	case protos.TensorProto_INT32:
		return v, each(4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) })
	case protos.TensorProto_UINT64:
		return v, each(8, func(b []byte) float64 { return float64(le.Uint64(b)) })
	case protos.TensorProto_INT64:
		return v, each(8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) })
	}
	return v, fmt.Errorf("type %v", protos.TensorProto_DataType(t.DataType))
}

// differs says how got differs from want, or nothing: another shape or kind, integers and
// booleans that are not equal, floats that are further off than the relative tolerance
// and a twentieth of it of the largest.
func differs(got, want value, tolerance float64) string {
	if !slices.Equal(got.dims, want.dims) || got.kind != want.kind {
		return fmt.Sprintf("is %c%v, expected %c%v", got.kind, got.dims, want.kind, want.dims)
	}
	largest := 0.0
	for _, w := range want.flat {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			largest = max(largest, math.Abs(w))
		}
	}
	bad, first := 0, ""
	for i, w := range want.flat {
		g := got.flat[i]
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if want.kind == 'f' && math.Abs(g-w) <= tolerance*(math.Abs(w)+.05*largest)+1e-7 {
			continue
		}
		if bad++; bad == 1 {
			first = fmt.Sprintf("%g instead of %g at %d", g, w, i)
		}
	}
	if bad == 0 {
		return ""
	}
	return fmt.Sprintf("differs at %d of %d elements, the first %s", bad, len(want.flat), first)
}

// refusal reports whether err is a refusal: typed, and with the reason.
func refusal(err error) bool {
	var file *FileError
	var unsupported *Unsupported
	return errors.As(err, &file) || errors.As(err, &unsupported)
}

// fromTensor reads a result.
func fromTensor(t *tensors.Tensor) value {
	v := value{kind: 'i', dims: slices.Clone(t.Shape().Dimensions)}
	t.MustConstFlatData(func(flat any) {
		switch f := flat.(type) {
		case []float32:
			v.kind, v.flat = 'f', widen(f)
		case []float64:
			v.kind, v.flat = 'f', slices.Clone(f)
		case []float16.Float16:
			v.kind = 'f'
			for _, x := range f {
				v.flat = append(v.flat, float64(x.Float32()))
			}
		case []bool:
			v.kind = 'b'
			for _, x := range f {
				v.flat = append(v.flat, map[bool]float64{true: 1}[x])
			}
		case []int64:
			v.flat = widen(f)
		case []int32:
			v.flat = widen(f)
		case []int16:
			v.flat = widen(f)
		case []int8:
			v.flat = widen(f)
		case []uint64:
			v.flat = widen(f)
		case []uint32:
			v.flat = widen(f)
		case []uint16:
			v.flat = widen(f)
		case []uint8:
			v.flat = widen(f)
		default:
			v.kind = '?'
		}
	})
	return v
}

func widen[T int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8 | float32](in []T) []float64 {
	out := make([]float64, len(in))
	for i, x := range in {
		out[i] = float64(x)
	}
	return out
}

// look reads what the test needs to know of the model.
func (c *packed) look() error {
	var m protos.ModelProto
	if err := proto.Unmarshal(c.model, &m); err != nil {
		return err
	}
	for _, i := range m.Graph.Input {
		c.in = append(c.in, i.Name)
	}
	for _, o := range m.Graph.Output {
		c.out = append(c.out, o.Name)
	}
	const sixteen = protos.TensorProto_FLOAT16
	for _, t := range m.Graph.Initializer {
		c.half = c.half || t.DataType == int32(sixteen)
	}
	for _, n := range m.Graph.Node {
		for _, a := range n.Attribute {
			c.half = c.half || a.Name == "to" && a.I == int64(sixteen)
		}
	}
	return nil
}
