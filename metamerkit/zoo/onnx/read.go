package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/float16"
)

// tensorOf reads a tensor of the file. beside finds the bytes of one that lies in
// another file.
func tensorOf(p *protos.TensorProto, beside func(p *protos.TensorProto, size int) ([]byte, error)) (*tensor, error) {
	from := protos.TensorProto_DataType(p.DataType)
	kind, ok := kinds[from]
	if !ok || p.Segment != nil {
		return nil, fmt.Errorf("tensor %q is of type %v, expected float, double, float16, bfloat16, integers or bool in one piece", p.Name, from)
	}
	n, dims := 1, make([]int, len(p.Dims))
	for i, d := range p.Dims {
		if d < 0 || d > maxElements || d > 0 && n > maxElements/int(d) {
			return nil, fmt.Errorf("tensor %q has the shape %v, expected at most %d elements", p.Name, p.Dims, maxElements)
		}
		n, dims[i] = n*int(d), int(d)
	}
	raw, width := p.RawData, kind.Size()
	if p.DataLocation != protos.TensorProto_DEFAULT || len(p.ExternalData) > 0 {
		if beside == nil {
			return nil, fmt.Errorf("tensor %q lies in another file", p.Name)
		}
		var err error
		if raw, err = beside(p, n*width); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.Name, err)
		}
	}
	have := len(raw) / width
	if len(raw) == 0 {
		have = len(p.FloatData) + len(p.DoubleData) + len(p.Int32Data) + len(p.Int64Data) + len(p.Uint64Data)
	}
	if n != have || len(raw)%width != 0 {
		return nil, fmt.Errorf("tensor %q %v needs %d elements, the file holds %d", p.Name, p.Dims, n, have)
	}
	t := newTensor(kind, dims...)
	if len(raw) > 0 {
		t.fill(raw)
		t.kind = computed(kind)
		return t, nil
	}
	short := func() error {
		return fmt.Errorf("tensor %q is of type %v, but its elements are not in the field for it", p.Name, from)
	}
	switch kind {
	case dtypes.Float32:
		if copy(t.single, p.FloatData) != n {
			return nil, short()
		}
	case dtypes.Float64:
		if copy(t.double, p.DoubleData) != n {
			return nil, short()
		}
	case dtypes.Float16, dtypes.BFloat16:
		if len(p.Int32Data) != n {
			return nil, short()
		}
		for i, v := range p.Int32Data {
			t.single[i] = wide(kind, uint16(v))
		}
	case dtypes.Int64:
		if copy(t.ints, p.Int64Data) != n {
			return nil, short()
		}
	case dtypes.Uint32, dtypes.Uint64:
		if len(p.Uint64Data) != n {
			return nil, short()
		}
		for i, v := range p.Uint64Data {
			t.setInt(i, int64(v))
		}
	default:
		if len(p.Int32Data) != n {
			return nil, short()
		}
		for i, v := range p.Int32Data {
			t.setInt(i, int64(v))
		}
	}
	t.kind = computed(kind)
	return t, nil
}

// wide is the number that 16 bits stand for.
func wide(kind dtypes.DType, bits uint16) float32 {
	if kind == dtypes.Float16 {
		return float16.Float16(bits).Float32()
	}
	return math.Float32frombits(uint32(bits) << 16)
}

// fill reads the elements of t, little-endian.
func (t *tensor) fill(raw []byte) {
	width := t.kind.Size()
	for i := range t.size() {
		at := raw[i*width:]
		switch {
		case t.kind == dtypes.Float32:
			t.single[i] = math.Float32frombits(binary.LittleEndian.Uint32(at))
		case t.kind == dtypes.Float64:
			t.double[i] = math.Float64frombits(binary.LittleEndian.Uint64(at))
		case t.kind.IsFloat():
			t.single[i] = wide(t.kind, binary.LittleEndian.Uint16(at))
		case width == 8:
			t.ints[i] = int64(binary.LittleEndian.Uint64(at))
		case width == 4:
			t.setInt(i, int64(binary.LittleEndian.Uint32(at)))
		case width == 2:
			t.setInt(i, int64(binary.LittleEndian.Uint16(at)))
		default:
			t.setInt(i, int64(at[0]))
		}
	}
}
