package weights

import (
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// item is an entry of a Python dictionary.
type item struct{ key, value any }

// items lists a dictionary in its order.
func items(v any) ([]item, bool) {
	var out []item
	switch d := v.(type) {
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			out = append(out, item{entry.Key, entry.Value})
		}
	case *types.Dict:
		for _, e := range *d {
			out = append(out, item{e.Key, e.Value})
		}
	default:
		return nil, false
	}
	return out, true
}

// collect gathers the tensors of a state dict, which may be an entry of the object
// (see Options.Key); values that are no tensors are passed over. fileSize bounds
// the memory: tensors may share storages and repeat elements, so that a hostile
// file could otherwise declare far more than it holds. unknown are the names that
// the pickle refers to and that are not known here: they may stand beside the state
// dict, and nowhere in it.
func (f *File) collect(object any, key string, unknown []string, fileSize int64) error {
	refuse := func(name string) error {
		return fmt.Errorf("the pickle refers to %.200s, which no state dict needs; it was not executed", name)
	}
	if key == anyArray {
		key = ""
		if v, ok := object.(*strided); ok { // torch.save of a tensor, which has no name
			object = &types.Dict{{Key: "", Value: v}}
		}
	}
	entries, ok := items(object)
	if !ok {
		if len(unknown) > 0 {
			return refuse(unknown[0])
		}
		return fmt.Errorf("it holds %s, expected a state dict (a dictionary of tensors)", describe(object))
	}
	names := []string{"state_dict", "model"}
	if key != "" {
		names = []string{key}
	}
	for _, name := range names {
		if inner, ok := find(entries, name); ok {
			for _, e := range entries {
				if s, ok := e.key.(string); ok && s != name && len(f.Beside) < maxUnknown {
					f.Beside = append(f.Beside, fmt.Sprintf("%.100s", s))
				}
			}
			entries, f.Key = inner, name
			break
		}
	}
	if key != "" && f.Key == "" {
		var have []string
		for _, e := range entries {
			have = append(have, describe(e.key))
		}
		return fmt.Errorf("it has no entry %q with a state dict; it has %.300s", key, strings.Join(have[:min(len(have), maxUnknown)], ", "))
	}
	if f.Key == "" && len(unknown) > 0 {
		return refuse(unknown[0])
	}
	f.Tensors = map[string]*Tensor{}
	need, allowed := int64(0), 16*fileSize+64<<10
	for _, e := range entries {
		if o, ok := e.value.(*opaque); ok {
			return refuse(o.name)
		}
		v, ok := e.value.(*strided)
		if !ok {
			continue
		}
		name, ok := e.key.(string)
		if !ok {
			return fmt.Errorf("the name of a tensor is %s", describe(e.key))
		}
		if need += int64(v.bytes()); need > allowed || need < 0 {
			return fmt.Errorf("its tensors need more than %d bytes of memory, too much for a file of %d", allowed, fileSize)
		}
		if !v.s.there && v.s.size > 0 {
			return fmt.Errorf("the elements of tensor %s are missing", describe(name))
		}
		f.Tensors[name] = v.tensor(name)
	}
	if len(f.Tensors) == 0 {
		return fmt.Errorf("it holds no tensors by name, expected a state dict")
	}
	return nil
}

// find returns the entries of the dictionary that is called name.
func find(entries []item, name string) ([]item, bool) {
	for _, e := range entries {
		if e.key == name {
			return items(e.value)
		}
	}
	return nil, false
}
