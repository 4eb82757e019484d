package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"path"

	"github.com/nlpodyssey/gopickle/types"
)

// parseZip reads what torch.save has written since PyTorch 1.6: a zip archive
// with data.pkl and one stored member a storage.
func parseZip(data []byte) (map[string]*Tensor, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	files := map[string]*zip.File{}
	root := ""
	for _, f := range z.File {
		if _, dup := files[f.Name]; dup {
			return nil, fmt.Errorf("the archive holds %s twice", f.Name)
		}
		files[f.Name] = f
		if path.Base(f.Name) == "data.pkl" {
			root = path.Dir(f.Name)
		}
	}
	if root == "" {
		return nil, fmt.Errorf("the archive has no data.pkl")
	}
	if _, script := files[path.Join(root, "constants.pkl")]; script {
		return nil, fmt.Errorf("it is a TorchScript archive; save the state dict with torch.save instead")
	}
	if f, ok := files[path.Join(root, "byteorder")]; ok {
		if order, err := member0(f); err != nil || string(order) != "little" {
			return nil, fmt.Errorf("byte order %q, expected little", order)
		}
	}
	text, err := member0(files[path.Join(root, "data.pkl")])
	if err != nil {
		return nil, err
	}
	if _, err := walk(text); err != nil {
		return nil, err
	}
	loaded := map[string]*storage{}
	v, err := unpickle(text, func(id *types.Tuple) (any, error) {
		s, key, err := storageOf(id)
		if err != nil {
			return nil, err
		}
		if old, ok := loaded[key]; ok {
			return old, nil
		}
		f, ok := files[path.Join(root, "data", key)]
		if !ok {
			return nil, fmt.Errorf("the archive has no storage %s", key)
		}
		if s.raw, err = member0(f); err != nil {
			return nil, err
		}
		if len(s.raw)/width[s.dtype] < s.size {
			return nil, fmt.Errorf("storage %s declares %d elements, the archive holds %d", key, s.size, len(s.raw)/width[s.dtype])
		}
		loaded[key] = s
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return collect(v)
}

// member0 reads a zip member. torch.save stores without compression; a compressed
// one is refused, so that no member can grow beyond the file.
func member0(f *zip.File) ([]byte, error) {
	if f.Method != zip.Store {
		return nil, fmt.Errorf("member %s is compressed; torch.save stores", f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", f.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", f.Name, err)
	}
	return b, nil
}

// storageOf reads ("storage", class, key, location, elements[, view]).
func storageOf(id *types.Tuple) (*storage, string, error) {
	if id.Len() < 5 || id.Get(0) != "storage" {
		return nil, "", fmt.Errorf("a persistent id is %v, expected a storage", id)
	}
	class, ok1 := id.Get(1).(storageClass)
	key, ok2 := id.Get(2).(string)
	size, ok3 := id.Get(4).(int)
	if !ok1 || !ok2 || !ok3 || size < 0 {
		return nil, "", fmt.Errorf("a storage is declared as %v", id)
	}
	if id.Len() > 5 && id.Get(5) != nil {
		return nil, "", fmt.Errorf("storage %s is a view of another, as PyTorch before 0.4 wrote; save the file again with a newer one", key)
	}
	return &storage{dtype: string(class), size: size}, key, nil
}

// parseLegacy reads what torch.save wrote before 1.6: pickles of a magic number, a
// protocol version and system facts, the object, the storages' keys, and then
// each storage as an element count and raw elements.
func parseLegacy(data []byte) (map[string]*Tensor, error) {
	loaded := map[string]*storage{}
	next := func() (any, error) {
		end, err := walk(data)
		if err != nil {
			return nil, err
		}
		text := data[:end]
		data = data[end:]
		return unpickle(text, func(id *types.Tuple) (any, error) {
			s, key, err := storageOf(id)
			if err != nil {
				return nil, err
			}
			if old, ok := loaded[key]; ok {
				return old, nil
			}
			if s.size > len(data)/width[s.dtype] {
				return nil, fmt.Errorf("storage %s declares %d elements in a file that has %d bytes left", key, s.size, len(data))
			}
			loaded[key] = s
			return s, nil
		})
	}
	magic, err := next()
	if err != nil {
		return nil, err
	}
	if n, ok := magic.(*big.Int); !ok || n.Text(16) != "1950a86a20f9469cfc6c" {
		return nil, fmt.Errorf("it has no PyTorch magic number")
	}
	if v, err := next(); err != nil || v != 1001 {
		return nil, fmt.Errorf("protocol version %v, expected 1001 (%v)", v, err)
	}
	if _, err := next(); err != nil {
		return nil, err
	}
	object, err := next()
	if err != nil {
		return nil, err
	}
	keys, err := next()
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*types.List)
	if !ok {
		return nil, fmt.Errorf("the storage keys are %T", keys)
	}
	for _, k := range *list {
		key, _ := k.(string)
		s, ok := loaded[key]
		if !ok {
			return nil, fmt.Errorf("storage %v belongs to no tensor", k)
		}
		if len(data) < 8 || binary.LittleEndian.Uint64(data) != uint64(s.size) || (len(data)-8)/width[s.dtype] < s.size {
			return nil, fmt.Errorf("storage %s of %d elements is cut short", key, s.size)
		}
		n := 8 + s.size*width[s.dtype]
		s.raw, data = data[8:n], data[n:]
	}
	return collect(object)
}

// collect gathers the tensors of a state dict, which may lie under "state_dict"
// or "model" beside other things.
func collect(v any) (map[string]*Tensor, error) {
	out := map[string]*Tensor{}
	if err := gather(v, out); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it holds no tensors by name, expected a state dict")
	}
	return out, nil
}

func gather(v any, out map[string]*Tensor) error {
	type pair struct{ k, v any }
	var pairs []pair
	switch d := v.(type) {
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			pairs = append(pairs, pair{entry.Key, entry.Value})
		}
	case *types.Dict:
		for _, e := range *d {
			pairs = append(pairs, pair{e.Key, e.Value})
		}
	default:
		return fmt.Errorf("it holds a %T, expected a state dict", v)
	}
	for _, name := range []string{"state_dict", "model"} {
		for _, p := range pairs {
			if _, isTensor := p.v.(*lazy); p.k == name && !isTensor {
				return gatherFlat(p.v, out)
			}
		}
	}
	return gatherFlat(v, out)
}

func gatherFlat(v any, out map[string]*Tensor) error {
	add := func(k, v any) error {
		t, ok := v.(*lazy)
		if !ok {
			return nil
		}
		name, ok := k.(string)
		if !ok {
			return fmt.Errorf("a tensor's name is %v", k)
		}
		dense, err := t.dense(name)
		if err != nil {
			return err
		}
		out[name] = dense
		return nil
	}
	switch d := v.(type) {
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			if err := add(entry.Key, entry.Value); err != nil {
				return err
			}
		}
	case *types.Dict:
		for _, e := range *d {
			if err := add(e.Key, e.Value); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("it holds a %T, expected a state dict", v)
	}
	return nil
}

// dense copies a strided view into a contiguous tensor.
func (l *lazy) dense(name string) (*Tensor, error) {
	if l.s.raw == nil && l.s.size > 0 {
		return nil, fmt.Errorf("the elements of tensor %s are missing", name)
	}
	n, err := elements(l.shape, l.s.size)
	if err != nil {
		return nil, err
	}
	w := width[l.s.dtype]
	raw := make([]byte, 0, n*w)
	index := make([]int, len(l.shape))
	for range n {
		at := l.offset
		for i, j := range index {
			at += j * l.strides[i]
		}
		raw = append(raw, l.s.raw[at*w:at*w+w]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < l.shape[i] {
				break
			}
			index[i] = 0
		}
	}
	t := &Tensor{Name: name, Shape: l.shape, DType: l.s.dtype}
	t.fill(raw)
	return t, nil
}
