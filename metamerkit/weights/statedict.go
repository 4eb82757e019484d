package weights

import (
	"fmt"

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

// collect gathers the tensors of a state dict, which may be a value "state_dict"
// or "model" of the object; values that are no tensors are passed over. fileSize
// bounds the memory: tensors may share storages and repeat elements, so that a
// hostile file could otherwise declare far more than it holds.
func collect(object any, fileSize int) (map[string]*Tensor, error) {
	entries, ok := items(object)
	if !ok {
		return nil, fmt.Errorf("it holds %s, expected a state dict (a dictionary of tensors)", describe(object))
	}
	for _, name := range []string{"state_dict", "model"} {
		if inner, ok := find(entries, name); ok {
			entries = inner
			break
		}
	}
	views := map[string]*strided{}
	need, allowed := 0, 16*fileSize+64<<10
	for _, e := range entries {
		v, ok := e.value.(*strided)
		if !ok {
			continue
		}
		name, ok := e.key.(string)
		if !ok {
			return nil, fmt.Errorf("the name of a tensor is %s", describe(e.key))
		}
		if need += v.bytes(); need > allowed || need < 0 {
			return nil, fmt.Errorf("its tensors need more than %d bytes of memory, too much for a file of %d", allowed, fileSize)
		}
		views[name] = v
	}
	if len(views) == 0 {
		return nil, fmt.Errorf("it holds no tensors by name, expected a state dict")
	}
	out := map[string]*Tensor{}
	for name, v := range views {
		t, err := v.dense(name)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
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
