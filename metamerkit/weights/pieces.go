package weights

import (
	"fmt"
	"sync"
)

// pieceBytes is how much of a file is read at once.
const pieceBytes = 1 << 20

// scratch holds buffers for pieces, so that a large file leaves no garbage behind.
var scratch = sync.Pool{New: func() any { return &buffers{} }}

type buffers struct {
	raw    []byte
	values []float32
}

func (b *buffers) bytes(n int) []byte {
	if cap(b.raw) < n {
		b.raw = make([]byte, n)
	}
	return b.raw[:n]
}

func (b *buffers) floats(n int) []float32 {
	if cap(b.values) < n {
		b.values = make([]float32, n)
	}
	return b.values[:n]
}

// IsFloat says whether the elements are floating-point numbers.
func (t *Tensor) IsFloat() bool { return t.Float != nil || t.Int == nil && isFloat(t.DType) }

// Len is the number of elements.
func (t *Tensor) Len() int { return product(t.Shape) }

// Load brings the elements into Float or Int, if they are not there.
func (t *Tensor) Load() error {
	if t.view == nil || t.Float != nil || t.Int != nil {
		return nil
	}
	if !readable(t.DType) {
		return fmt.Errorf("tensor %s is of type %s, which is not read", describe(t.Name), t.DType)
	}
	n := t.view.len()
	if isFloat(t.DType) {
		t.Float = make([]float32, n)
	} else {
		t.Int = make([]int64, n)
	}
	err := t.view.pieces(t.Name, 1, func(first int, raw []byte) error {
		if t.Float != nil {
			floats(t.DType, raw, t.Float[first:])
		} else {
			integers(t.DType, raw, t.Int[first:])
		}
		return nil
	})
	if err == nil {
		t.view = nil
	}
	return err
}

// Pieces passes the elements of a float tensor to use, in C order: those from
// first on, a multiple of group at a time. values is used again for the next
// piece. The whole tensor is never in memory, unless it is already.
func (t *Tensor) Pieces(group int, use func(first int, values []float32)) error {
	if !t.IsFloat() {
		return fmt.Errorf("tensor %s is %s, expected float", describe(t.Name), t.DType)
	}
	if t.view == nil {
		if len(t.Float) > 0 {
			use(0, t.Float)
		}
		return nil
	}
	b := scratch.Get().(*buffers)
	defer scratch.Put(b)
	return t.view.pieces(t.Name, group, func(first int, raw []byte) error {
		values := b.floats(len(raw) / width[t.DType])
		floats(t.DType, raw, values)
		use(first, values)
		return nil
	})
}

func (v *strided) len() int { return product(v.shape) }

// pieces passes the raw elements in C order, a multiple of group at a time and
// about pieceBytes.
func (v *strided) pieces(name string, group int, use func(first int, raw []byte) error) error {
	n, w := v.len(), width[v.s.dtype]
	if !v.s.there && v.s.size > 0 {
		return fmt.Errorf("the elements of tensor %s are missing", describe(name))
	}
	if n == 0 {
		return nil
	}
	group = max(1, min(group, n))
	step := min(n, max(1, pieceBytes/w/group)*group)
	b := scratch.Get().(*buffers)
	defer scratch.Put(b)
	buf := b.bytes(step * w)
	packed := v.contiguous()
	var all []byte
	if !packed { // rare: a transposed tensor, or one that repeats elements
		span := v.offset + 1
		for i, d := range v.shape {
			span += (d - 1) * v.strides[i]
		}
		all = make([]byte, (span-v.offset)*w)
		if err := v.s.src.read(all, v.s.at+int64(v.offset)*int64(w)); err != nil {
			return fmt.Errorf("tensor %s: %w", describe(name), err)
		}
	}
	index := make([]int, len(v.shape))
	for first := 0; first < n; first += step {
		part := buf[:min(step, n-first)*w]
		if packed {
			if err := v.s.src.read(part, v.s.at+int64(v.offset+first)*int64(w)); err != nil {
				return fmt.Errorf("tensor %s: %w", describe(name), err)
			}
		} else {
			v.gather(part, all, index)
		}
		if err := use(first, part); err != nil {
			return err
		}
	}
	return nil
}

// gather copies the next elements, in C order from index on, out of the span that
// the view covers.
func (v *strided) gather(to, all []byte, index []int) {
	w := width[v.s.dtype]
	for i := 0; i < len(to); i += w {
		at := 0
		for axis, j := range index {
			at += j * v.strides[axis]
		}
		copy(to[i:i+w], all[at*w:])
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < v.shape[axis] {
				break
			}
			index[axis] = 0
		}
	}
}
