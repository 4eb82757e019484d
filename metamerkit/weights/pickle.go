package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// Of nlpodyssey/gopickle only the pickle machine is used. Its pytorch package
// allocates what a file declares, panics on old views, takes records by their
// base name whatever their folder, and leaves strides unchecked.

// Limits that no state dict comes near (a tensor takes some 150 bytes of pickle).
const (
	maxPickle  = 4 << 20 // bytes; the machine allocates up to 250 bytes for each
	maxDepth   = 1000    // marks open at once
	maxLine    = 1000    // bytes of a text argument; long numbers take quadratic time
	maxRank    = 64      // as PyTorch
	maxUnknown = 20      // names that are kept for the error
)

// arguments says how long each opcode's argument is: a number of bytes, or one of
// the codes below. Opcodes that are not here are refused. (PEP 307, PEP 3154 and
// the docstrings of Python's pickletools.)
var arguments = map[byte]int{
	'\x80': 1, 'K': 1, 'M': 2, 'J': 4, 'G': 8, 'h': 1, 'q': 1, 'j': 4, 'r': 4, '\x95': 8,
	'(': 0, '.': 0, '0': 0, '1': 0, '2': 0, 'N': 0, '\x88': 0, '\x89': 0, ')': 0, '\x85': 0, '\x86': 0, '\x87': 0, 't': 0,
	']': 0, 'l': 0, 'a': 0, 'e': 0, '}': 0, 'd': 0, 's': 0, 'u': 0, 'R': 0, 'b': 0, 'Q': 0, '\x93': 0, '\x94': 0, '\x81': 0,
	'U': length1, '\x8c': length1, 'C': length1, '\x8a': length1, 'X': length4, 'T': length4, 'B': length4,
	'\x8d': length8, '\x8e': length8, 'c': twoLines, 'I': line, 'L': line, 'F': line, 'S': line, 'V': line, 'p': line, 'g': line,
}

const (
	length1 = -1 - iota
	length4
	length8
	line
	twoLines
)

// walk finds the end of the pickle at the beginning of data without unpickling
// it. The pickle library allocates what an opcode declares, so that every declared
// length is held against the data first.
func walk(data []byte) (end int, err error) {
	short := fmt.Errorf("the pickle is cut short")
	if len(data) > maxPickle {
		data, short = data[:maxPickle], fmt.Errorf("the pickle is longer than %d bytes", maxPickle)
	}
	at, depth := 0, 0
	for {
		if at >= len(data) {
			return 0, short
		}
		op := data[at]
		n, ok := arguments[op]
		if !ok {
			return 0, fmt.Errorf("the pickle has the opcode 0x%02x at byte %d, which no state dict needs", op, at)
		}
		switch op {
		case '(':
			if depth++; depth > maxDepth {
				return 0, fmt.Errorf("the pickle nests deeper than %d", maxDepth)
			}
		case '1', 't', 'l', 'd', 'e', 'u':
			depth = max(depth-1, 0)
		}
		at++
		rest := data[at:]
		switch n {
		case length1, length4, length8:
			w := map[int]int{length1: 1, length4: 4, length8: 8}[n]
			if len(rest) < w {
				return 0, short
			}
			var size uint64
			for i := w - 1; i >= 0; i-- {
				size = size<<8 | uint64(rest[i])
			}
			if size > uint64(len(rest)-w) {
				return 0, fmt.Errorf("the pickle declares %d bytes at byte %d, %d are left", size, at, len(rest)-w)
			}
			n = w + int(size)
		case line, twoLines:
			want := map[int]int{line: 1, twoLines: 2}[n]
			n = 0
			for range want {
				i := bytes.IndexByte(rest[n:], '\n')
				if i < 0 {
					return 0, short
				}
				if i > maxLine {
					return 0, fmt.Errorf("the pickle has a line of %d bytes at byte %d", i, at)
				}
				n += i + 1
			}
		}
		if len(rest) < n {
			return 0, short
		}
		if op == '\x95' && binary.LittleEndian.Uint64(rest) > uint64(len(rest)-8) {
			return 0, fmt.Errorf("the pickle declares a frame longer than itself")
		}
		at += n
		if op == '.' {
			return at, nil
		}
	}
}

type callable func(args ...any) (any, error)

func (c callable) Call(args ...any) (any, error) { return c(args...) }

// opaque stands for something of Python that a state dict does not need: what the
// pickle calls, makes and fills with it is thrown away. Nothing runs.
type opaque struct{ name string }

func (o *opaque) Call(...any) (any, error)  { return o, nil }
func (o *opaque) PyNew(...any) (any, error) { return o, nil }
func (o *opaque) PySetState(any) error      { return nil }
func (o *opaque) Set(_, _ any)              {}
func (o *opaque) Append(any)                {}
func (o *opaque) Add(any)                   {}

// dtypeName are the names of torch's element types.
var dtypeName = regexp.MustCompile(`^(float|bfloat|int|uint)(8|16|32|64)$|^bool$`)

// findClass stands in for the few names that a state dict refers to. Nothing of
// Python runs. Any other name becomes opaque and is added to unknown: checkpoints
// keep optimisers and the like beside the state dict.
func findClass(module, name string, unknown *[]string) (any, error) {
	full := module + "." + name
	if dtype, ok := storageTypes[full]; ok {
		return storageClass(dtype), nil
	}
	switch full {
	case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor":
		return callable(rebuildTensor), nil
	case "torch._utils._rebuild_parameter":
		return callable(func(args ...any) (any, error) {
			if len(args) == 0 {
				return nil, fmt.Errorf("_rebuild_parameter without arguments")
			}
			return args[0], nil
		}), nil
	}
	// Values that stand beside tensors in what plenoptic and training scripts save.
	switch {
	case full == "torch.Size", full == "torch.device":
		return callable(func(args ...any) (any, error) {
			if len(args) == 0 {
				return types.NewTupleFromSlice(nil), nil
			}
			return args[0], nil
		}), nil
	case module == "torch" && dtypeName.MatchString(name):
		return full, nil
	}
	if len(*unknown) < maxUnknown {
		*unknown = append(*unknown, full)
	}
	return &opaque{full}, nil
}

// describe shows a value out of a pickle in an error. Containers are named only:
// they may contain themselves, or double with each of many levels, and fmt would
// follow them.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return fmt.Sprintf("%.100q", v)
	case *opaque:
		return fmt.Sprintf("%.100s", v.name)
	case bool, int, float64:
		return fmt.Sprint(v)
	case *types.Tuple:
		return fmt.Sprintf("a tuple of %d", v.Len())
	}
	return fmt.Sprintf("a %T", v)
}

// unpickle runs the pickle library on data that walk has passed.
func unpickle(data []byte, unknown *[]string, load func(id *types.Tuple) (any, error)) (v any, err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on some malformed stacks
			err = fmt.Errorf("the pickle is malformed: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = func(module, name string) (any, error) { return findClass(module, name, unknown) }
	u.PersistentLoad = func(id any) (any, error) {
		t, ok := id.(*types.Tuple)
		if !ok || load == nil {
			return nil, fmt.Errorf("a persistent id is %s, expected a storage", describe(id))
		}
		return load(t)
	}
	return u.Load()
}
