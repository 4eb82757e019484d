package onnx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// tensor is a constant on the host. It is never changed once it is made.
type tensor struct {
	kind dtypes.DType
	dims []int
	// Elements: one of the three is used.
	single []float32 // float32, and narrower floating types, whose values it holds exactly
	double []float64 // float64
	ints   []int64   // integers, and bool as 0 and 1

	name string // of the constant
	read bool   // by an operator that computes, so that it is kept
}

// maxElements bounds every tensor, on the host and in a graph.
const maxElements = 1 << 28

// kinds maps ONNX's element types to those of the backends. Those of 8 bits and less
// with a scale, complex numbers and strings are not here.
var kinds = map[protos.TensorProto_DataType]dtypes.DType{
	protos.TensorProto_FLOAT: dtypes.Float32, protos.TensorProto_DOUBLE: dtypes.Float64,
	protos.TensorProto_FLOAT16: dtypes.Float16, protos.TensorProto_BFLOAT16: dtypes.BFloat16,
	protos.TensorProto_INT8: dtypes.Int8, protos.TensorProto_INT16: dtypes.Int16,
	protos.TensorProto_INT32: dtypes.Int32, protos.TensorProto_INT64: dtypes.Int64,
	protos.TensorProto_UINT8: dtypes.Uint8, protos.TensorProto_UINT16: dtypes.Uint16,
	protos.TensorProto_UINT32: dtypes.Uint32, protos.TensorProto_UINT64: dtypes.Uint64,
	protos.TensorProto_BOOL: dtypes.Bool,
}

// computed is the type in which numbers of a type are computed: float32 for float16 and
// bfloat16, so that a graph that narrows its numbers gives what it would give without.
func computed(kind dtypes.DType) dtypes.DType {
	if kind.IsFloat16() {
		return dtypes.Float32
	}
	return kind
}

// sizeOf is the number of elements of a shape. It panics where that is too many.
func sizeOf(dims []int) int {
	n := 1
	for _, d := range dims {
		if d < 0 || d > maxElements {
			panic(fmt.Errorf("a tensor has the shape %v", dims))
		}
		if n *= d; n > maxElements {
			panic(fmt.Errorf("a tensor has the shape %v: expected at most %d elements", dims, maxElements))
		}
	}
	return n
}

// advance brings a position to the next element, the last axis first.
func advance(at, dims []int) {
	for k := len(at) - 1; k >= 0; k-- {
		if at[k]++; at[k] < dims[k] {
			return
		}
		at[k] = 0
	}
}

// newTensor returns zeros.
func newTensor(kind dtypes.DType, dims ...int) *tensor {
	t := &tensor{kind: kind, dims: slices.Clone(dims)}
	n := sizeOf(dims)
	switch {
	case kind == dtypes.Float64:
		t.double = make([]float64, n)
	case kind.IsFloat():
		t.single = make([]float32, n)
	default:
		t.ints = make([]int64, n)
	}
	return t
}

func (t *tensor) size() int     { return len(t.single) + len(t.double) + len(t.ints) }
func (t *tensor) isFloat() bool { return t.kind.IsFloat() }

// float is an element as a number.
func (t *tensor) float(i int) float64 {
	switch {
	case t.single != nil:
		return float64(t.single[i])
	case t.double != nil:
		return t.double[i]
	}
	if t.kind == dtypes.Uint64 {
		return float64(uint64(t.ints[i]))
	}
	return float64(t.ints[i])
}

// setFloat rounds v to t's type, which is a floating one.
func (t *tensor) setFloat(i int, v float64) {
	switch t.kind {
	case dtypes.Float64:
		t.double[i] = v
	case dtypes.Float16:
		t.single[i] = float16.FromFloat32(float32(v)).Float32()
	case dtypes.BFloat16:
		t.single[i] = bfloat16.FromFloat32(float32(v)).Float32()
	default:
		t.single[i] = float32(v)
	}
}

// setInt wraps v to t's type, which is an integer or bool.
func (t *tensor) setInt(i int, v int64) {
	switch t.kind {
	case dtypes.Int8:
		v = int64(int8(v))
	case dtypes.Int16:
		v = int64(int16(v))
	case dtypes.Int32:
		v = int64(int32(v))
	case dtypes.Uint8:
		v = int64(uint8(v))
	case dtypes.Uint16:
		v = int64(uint16(v))
	case dtypes.Uint32:
		v = int64(uint32(v))
	case dtypes.Bool:
		if v != 0 {
			v = 1
		}
	}
	t.ints[i] = v
}

// copyFrom sets element i to element j of another tensor of the same type.
func (t *tensor) copyFrom(i int, from *tensor, j int) {
	switch {
	case t.single != nil:
		t.single[i] = from.single[j]
	case t.double != nil:
		t.double[i] = from.double[j]
	default:
		t.ints[i] = from.ints[j]
	}
}

// reshaped is t with other dimensions; the elements are shared.
func (t *tensor) reshaped(dims ...int) *tensor {
	out := *t
	out.dims = slices.Clone(dims)
	return &out
}

// scalar is the only element of t.
func (t *tensor) scalar() (float64, bool) {
	if t.size() != 1 {
		return 0, false
	}
	return t.float(0), true
}

func intsTensor(v ...int) *tensor {
	t := newTensor(dtypes.Int64, len(v))
	for i, x := range v {
		t.ints[i] = int64(x)
	}
	return t
}

// device makes the tensor that graphs read.
func (t *tensor) device() *tensors.Tensor {
	switch t.kind {
	case dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(t.single, t.dims...)
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(t.double, t.dims...)
	}
	out := tensors.FromShape(shapes.Make(t.kind, t.dims...))
	if err := out.MutableBytes(func(raw []byte) {
		width := t.kind.Size()
		for i := range t.size() {
			at := raw[i*width:]
			switch {
			case width == 8:
				binary.LittleEndian.PutUint64(at, uint64(t.ints[i]))
			case width == 4:
				binary.LittleEndian.PutUint32(at, uint32(t.ints[i]))
			case width == 2:
				binary.LittleEndian.PutUint16(at, uint16(t.ints[i]))
			default:
				at[0] = byte(t.ints[i])
			}
		}
	}); err != nil {
		panic(err)
	}
	return out
}
