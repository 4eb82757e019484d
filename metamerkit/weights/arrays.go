package weights

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/sbinet/npyio"
)

// anyArray is a key that means no entry by name: a single tensor of any name.
const anyArray = "\x00"

// OpenArrays reads the arrays of a file by name: NumPy's .npy (one array, called "")
// and .npz, and what Open reads, a single tensor (called "") included.
func OpenArrays(path string) (map[string]*Tensor, error) {
	data, _, err := ReadVerified(path, "")
	if err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(data, []byte("\x93NUMPY")):
		t, err := readNPY(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil, &FormatError{path, "npy", err.Error()}
		}
		return map[string]*Tensor{"": t}, nil
	case strings.EqualFold(filepath.Ext(path), ".npz"):
		out, err := readNPZ(data)
		if err != nil {
			return nil, &FormatError{path, "npz", err.Error()}
		}
		return out, nil
	}
	f, err := index(path, source{bytes.NewReader(data), int64(len(data))}, anyArray)
	if err != nil {
		return nil, err
	}
	return f.Tensors, f.load()
}

// readNPZ reads every array. What a member declares is held against what is stored:
// DEFLATE makes at most 1032 bytes of one.
func readNPZ(data []byte) (map[string]*Tensor, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	out := map[string]*Tensor{}
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		if out[name] != nil {
			return nil, fmt.Errorf("the file has two arrays called %.100q", name)
		}
		if f.CompressedSize64 > uint64(len(data)) || f.UncompressedSize64 > 1032*(f.CompressedSize64+1) {
			return nil, fmt.Errorf("array %.100q declares %d bytes, %d are stored", name, f.UncompressedSize64, f.CompressedSize64)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("array %.100q: %w", name, err)
		}
		t, err := readNPY(r, int64(f.UncompressedSize64))
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("array %.100q: %w", name, err)
		}
		t.Name, out[name] = name, t
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it holds no array")
	}
	return out, nil
}

// fits compares the declared length of an array's header with the file's size, because npyio
// v0.9.0 allocates that length, up to 4 GiB, before it reads.
func fits(b *bufio.Reader, size int64) error {
	start, err := b.Peek(12) // magic, version 2.0, length
	if err != nil || start[6] < 2 {
		return nil // npyio says what is wrong; lengths of version 1 have 16 bits
	}
	if n := int64(binary.LittleEndian.Uint32(start[8:])); n > size {
		return fmt.Errorf("its header declares %d bytes, the file has %d", n, size)
	}
	return nil
}

// readNPY reads one array of at most size bytes.
func readNPY(r io.Reader, size int64) (t *Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the array is malformed: %v", r)
		}
	}()
	b := bufio.NewReader(r)
	if err := fits(b, size); err != nil {
		return nil, err
	}
	n, err := npyio.NewReader(b)
	if err != nil {
		return nil, err
	}
	h := n.Header.Descr
	count, err := elements(h.Shape, int(min(size, math.MaxInt/8)))
	if err != nil {
		return nil, err
	}
	t = &Tensor{Shape: h.Shape, DType: h.Type}
	kind := strings.TrimLeft(h.Type, "<>|=")
	if len(kind) == 2 && int64(count)*int64(kind[1]-'0') > size {
		return nil, fmt.Errorf("an array of shape %v and type %q does not fit in %d bytes", h.Shape, h.Type, size)
	}
	switch kind {
	case "f4", "f8", "f2":
		t.Float, err = floatsOf(n, kind, count)
	case "u1", "i1", "i2", "u2", "i4", "u4", "i8", "b1":
		t.Int, err = integersOf(n, kind, count)
	default:
		err = fmt.Errorf("its elements are of type %q, expected floats or integers", h.Type)
	}
	if err == nil && h.Fortran && len(h.Shape) > 1 {
		err = fmt.Errorf("it is in Fortran order: save numpy.ascontiguousarray of it")
	}
	return t, err
}

func floatsOf(n *npyio.Reader, kind string, count int) ([]float32, error) {
	switch kind {
	case "f4":
		v := make([]float32, count)
		return v, n.Read(&v)
	case "f8":
		v := make([]float64, count)
		err := n.Read(&v)
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = float32(x)
		}
		return out, err
	}
	return nil, fmt.Errorf("half precision is not read: save float32")
}

func integersOf(n *npyio.Reader, kind string, count int) ([]int64, error) {
	switch kind {
	case "u1":
		return widen[uint8](n, count)
	case "i1":
		return widen[int8](n, count)
	case "u2":
		return widen[uint16](n, count)
	case "i2":
		return widen[int16](n, count)
	case "u4":
		return widen[uint32](n, count)
	case "i4":
		return widen[int32](n, count)
	case "i8":
		return widen[int64](n, count)
	}
	v := make([]bool, count)
	err := n.Read(&v)
	out := make([]int64, len(v))
	for i, x := range v {
		if x {
			out[i] = 1
		}
	}
	return out, err
}

func widen[T uint8 | int8 | uint16 | int16 | uint32 | int32 | int64](n *npyio.Reader, count int) ([]int64, error) {
	v := make([]T, count)
	err := n.Read(&v)
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out, err
}
