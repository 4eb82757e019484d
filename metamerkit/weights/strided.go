package weights

import (
	"fmt"
	"math"
	"slices"
)

// storageTypes maps PyTorch's storage classes to element types.
var storageTypes = map[string]string{
	"torch.FloatStorage": "F32", "torch.HalfStorage": "F16", "torch.BFloat16Storage": "BF16", "torch.DoubleStorage": "F64",
	"torch.LongStorage": "I64", "torch.IntStorage": "I32", "torch.ShortStorage": "I16", "torch.CharStorage": "I8",
	"torch.ByteStorage": "U8", "torch.BoolStorage": "BOOL",
}

// otherStorages are the storage classes whose elements are not read, with the bytes of one.
var otherStorages = map[string]int{
	"torch.ComplexFloatStorage": 8, "torch.ComplexDoubleStorage": 16, "torch.storage.UntypedStorage": 1, "torch.UntypedStorage": 1,
	"torch.QUInt8Storage": 1, "torch.QInt8Storage": 1, "torch.QInt32Storage": 4, "torch.QUInt4x2Storage": 1, "torch.QUInt2x4Storage": 1,
}

// storageClass stands for one of PyTorch's storage classes.
type storageClass string

// storage is a block of elements in the file.
type storage struct {
	key   string
	dtype string
	size  int // elements
	src   source
	at    int64 // of its first byte in the file
	there bool  // at is known: legacy files hold the storages behind the pickle
}

// storages are those of one file, by key.
type storages map[string]*storage

// declared returns the storage of a persistent id ("storage", class, key, location,
// elements[, view]), calling add for one that is new.
func (all storages) declared(id pyTuple, add func(s *storage) error) (*storage, error) {
	if len(id) < 5 || id[0] != "storage" {
		return nil, fmt.Errorf("a persistent id is %s, expected a storage", describe(id))
	}
	class, ok1 := id[1].(storageClass)
	if other, ok := id[1].(*pyOther); ok {
		class, ok1 = storageClass(other.name), otherStorages[other.name] > 0
	}
	key, ok2 := id[2].(string)
	size, ok3 := id[4].(int)
	if !ok1 || !ok2 || !ok3 || size < 0 {
		return nil, fmt.Errorf("a storage is declared with the class %s, the key %s and the size %s", describe(id[1]), describe(id[2]), describe(id[4]))
	}
	if len(id) > 5 && id[5] != nil {
		return nil, fmt.Errorf("storage %s is a view of another, as PyTorch before 0.4 wrote; save the file again with a newer one", describe(key))
	}
	s := &storage{key: key, dtype: string(class), size: size}
	if old, ok := all[key]; ok {
		if old.dtype != s.dtype || old.size != size {
			return nil, fmt.Errorf("storage %s is declared as %d %s and as %d %s", describe(key), old.size, old.dtype, size, s.dtype)
		}
		return old, nil
	}
	if err := add(s); err != nil {
		return nil, err
	}
	all[key] = s
	return s, nil
}

// width is the number of bytes of an element.
func (s *storage) width() int {
	if w, ok := width[s.dtype]; ok {
		return w
	}
	return otherStorages[s.dtype]
}

// strided is a tensor as PyTorch saves it: a view of a storage.
type strided struct {
	s              *storage
	offset         int
	shape, strides []int
}

// rebuildTensor is torch._utils._rebuild_tensor_v2 (storage, offset, shape,
// strides, …). Every element lies inside the storage; the number of elements may
// still be large, since strides of 0 repeat them.
func rebuildTensor(m *machine, args pyTuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("_rebuild_tensor_v2 with %d arguments", len(args))
	}
	if err := m.charge(160); err != nil {
		return nil, err
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	if !ok1 || !ok2 || offset < 0 {
		return nil, fmt.Errorf("a tensor has the storage %s and the offset %s", describe(args[0]), describe(args[1]))
	}
	shape, ok3 := ints(args[2])
	strides, ok4 := ints(args[3])
	if !ok3 || !ok4 || len(shape) != len(strides) {
		return nil, fmt.Errorf("a tensor has the shape %s and the strides %s, expected as many integers in both and at most %d", describe(args[2]), describe(args[3]), maxRank)
	}
	n, err := elements(shape, math.MaxInt/8)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		left := s.size - 1 - offset // elements behind the first one
		for i, d := range shape {
			if left < 0 || strides[i] < 0 || d > 1 && strides[i] > left/(d-1) {
				return nil, fmt.Errorf("a tensor of shape %v, strides %v and offset %d reaches outside its storage of %d elements", shape, strides, offset, s.size)
			}
			left -= (d - 1) * strides[i]
		}
		if left < 0 {
			return nil, fmt.Errorf("a tensor has the offset %d in a storage of %d elements", offset, s.size)
		}
	}
	return &strided{s, offset, shape, strides}, nil
}

// rebuildTyped is torch._utils._rebuild_tensor_v3 (untyped storage, offset, shape, strides,
// requires_grad, hooks, element type, …): a tensor whose elements are not read.
func rebuildTyped(_ *machine, args pyTuple) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("_rebuild_tensor_v3 with %d arguments", len(args))
	}
	shape, ok1 := ints(args[2])
	kind, ok2 := args[6].(elementType)
	if _, ok := args[0].(*storage); !ok || !ok1 || !ok2 {
		return nil, fmt.Errorf("a tensor has the storage %s, the shape %s and the type %s", describe(args[0]), describe(args[2]), describe(args[6]))
	}
	return &strided{s: &storage{dtype: string(kind)}, shape: shape}, nil
}

// ints returns a tuple of at most maxRank integers.
func ints(v any) ([]int, bool) {
	t, ok := v.(pyTuple)
	if !ok || len(t) > maxRank {
		return nil, false
	}
	out := make([]int, len(t))
	for i := range out {
		if out[i], ok = t[i].(int); !ok {
			return nil, false
		}
	}
	return out, true
}

// bytes is what dense allocates for the result.
func (v *strided) bytes() int {
	if !readable(v.s.dtype) {
		return 0
	}
	n, err := elements(v.shape, math.MaxInt/8)
	if err != nil {
		panic("weights: " + err.Error()) // rebuildTensor has seen to it
	}
	if isFloat(v.s.dtype) {
		return 4 * n
	}
	return 8 * n
}

// tensor is the view as a tensor, not loaded.
func (v *strided) tensor(name string) *Tensor {
	return &Tensor{Name: name, Shape: v.shape, DType: v.s.dtype, view: v}
}

// packed are the strides of a tensor in C order.
func packed(shape []int) []int {
	out, step := make([]int, len(shape)), 1
	for i, d := range slices.Backward(shape) {
		out[i] = step
		step *= d
	}
	return out
}

func (v *strided) contiguous() bool {
	step := 1
	for i, d := range slices.Backward(v.shape) {
		if d != 1 && v.strides[i] != step {
			return false
		}
		step *= d
	}
	return true
}
