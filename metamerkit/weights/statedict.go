package weights

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxUnknown is how many names an error or a note lists.
const maxUnknown = 20

// usualKeys are the entries under which training code keeps the state dict, the first first.
var usualKeys = []string{"state_dict", "model", "model_state_dict", "model_state", "net", "network", "params"}

// optimisers are the beginnings of entries that hold tensors and no network.
var optimisers = []string{"optim", "opt_state", "scheduler", "lr_sched", "scaler", "amp"}

// contentError reports a file that was read and holds no state dict, or not the one that was
// named.
type contentError struct{ error }

// held is a dictionary of a checkpoint that has tensors by name.
type held struct {
	path    []string // the keys that lead to it
	dict    *pyDict
	tensors int
}

func (h held) key() string { return strings.Join(h.path, ".") }

// optimiser reports whether h belongs to an optimiser or the like.
func (h held) optimiser() bool {
	return slices.ContainsFunc(h.path, func(k string) bool {
		return slices.ContainsFunc(optimisers, func(o string) bool { return strings.HasPrefix(strings.ToLower(k), o) })
	})
}

// usual is how usual the keys are that lead to h: less is more usual, -1 is not at all.
func (h held) usual() int {
	rank := 0
	for _, k := range h.path {
		i := slices.Index(usualKeys, k)
		if i < 0 {
			return -1
		}
		rank = rank*len(usualKeys) + i + 1
	}
	return rank
}

// find lists the dictionaries with tensors by name, in the object and in what it holds.
func find(object any) (out []held) {
	seen := map[*pyDict]bool{}
	var visit func(v any, path []string)
	visit = func(v any, path []string) {
		d, ok := v.(*pyDict)
		if !ok || seen[d] || len(path) > 6 {
			return
		}
		seen[d] = true
		h := held{path: path, dict: d}
		for _, e := range d.items {
			if _, ok := e.value.(*strided); ok {
				h.tensors++
			} else if key, ok := e.key.(string); ok {
				visit(e.value, append(slices.Clone(path), key))
			}
		}
		if h.tensors > 0 {
			out = append(out, h)
		}
	}
	visit(object, nil)
	return out
}

// choose picks the state dict among the dictionaries that have tensors: the one of a key, or
// below it; else that with the most usual name; else the only large one.
func choose(all []held, key string) (held, error) {
	var fit []held
	for _, h := range all {
		switch {
		case key != "" && h.key() == key:
			return h, nil
		case key != "" && strings.HasPrefix(h.key(), key+"."):
			fit = append(fit, h)
		case key == "" && !h.optimiser():
			fit = append(fit, h)
		}
	}
	if key == "" {
		best := held{}
		for _, h := range fit {
			if len(h.path) > 0 && h.usual() > 0 && (best.dict == nil || h.usual() < best.usual()) {
				best = h
			}
		}
		if best.dict != nil {
			return best, nil
		}
	}
	if len(fit) == 0 {
		return held{}, fmt.Errorf("it has no entry %q with a state dict; it has %s", key, listed(all))
	}
	slices.SortStableFunc(fit, func(a, b held) int { return cmp.Compare(b.tensors, a.tensors) })
	if len(fit) > 1 && 2*fit[1].tensors >= fit[0].tensors {
		return held{}, fmt.Errorf("it has several entries with tensors: %s; name the one to read (--key)", listed(fit))
	}
	return fit[0], nil
}

// listed names dictionaries with the number of their tensors.
func listed(all []held) string {
	var names []string
	for _, h := range all[:min(len(all), maxUnknown)] {
		name := "tensors of its own"
		if len(h.path) > 0 {
			name = describe(h.key())
		}
		names = append(names, fmt.Sprintf("%s (%d)", name, h.tensors))
	}
	return strings.Join(names, ", ")
}

// collect gathers the tensors of a state dict, which may be an entry of the object
// (see Options.Key); whatever else the object holds is passed over. fileSize bounds
// the memory: tensors may share storages and repeat elements, so that a hostile
// file could otherwise declare far more than it holds.
func (f *File) collect(object any, key string, fileSize int64) error {
	if key == anyArray {
		key = ""
		if v, ok := object.(*strided); ok { // torch.save of a tensor, which has no name
			object = &pyDict{items: []item{{"", v}}}
		}
	}
	all := find(object)
	if len(all) == 0 {
		if d, ok := object.(*pyDict); ok && len(d.items) > 0 {
			for _, e := range d.items {
				if o, ok := e.value.(*pyOther); ok && strings.Contains(o.name, ".") && slices.Contains(usualKeys, fmt.Sprint(e.key)) {
					return contentError{fmt.Errorf("its entry %s is an object of %.200s, which was not executed, expected a state dict: save model.state_dict(), not the model", describe(e.key), o.name)}
				}
			}
			return contentError{fmt.Errorf("it holds no tensors by name, expected a state dict; it has %.300s", strings.Join(entries(d, nil), ", "))}
		}
		if o, ok := object.(*pyOther); ok && strings.Contains(o.name, ".") {
			return contentError{fmt.Errorf("it holds an object of %.200s, which was not executed, expected a state dict: save model.state_dict(), not the model", o.name)}
		}
		return contentError{fmt.Errorf("it holds %s and no tensors by name, expected a state dict (a dictionary of tensors)", describe(object))}
	}
	found, err := choose(all, key)
	if err != nil {
		return contentError{err}
	}
	f.Key = found.key()
	for _, h := range all {
		if key == "" && h.dict != found.dict && len(h.path) > 0 && !h.optimiser() && 2*h.tensors >= found.tensors {
			f.Others = append(f.Others, h.key())
		}
	}
	if d, ok := object.(*pyDict); ok && len(found.path) > 0 {
		f.Beside = entries(d, func(e item) bool { return e.key == found.path[0] })
	} else {
		f.Beside = entries(found.dict, func(e item) bool { _, tensor := e.value.(*strided); return tensor })
	}
	f.Tensors = map[string]*Tensor{}
	need, allowed := int64(0), 16*fileSize+64<<10
	for _, e := range found.dict.items {
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
		if readable(v.s.dtype) && !v.s.there && v.s.size > 0 {
			return fmt.Errorf("the elements of tensor %s are missing", describe(name))
		}
		f.Tensors[name] = v.tensor(name)
	}
	return nil
}

// entries names the entries of a dictionary but those that skip passes over.
func entries(d *pyDict, skip func(e item) bool) (out []string) {
	for _, e := range d.items {
		if skip != nil && skip(e) {
			continue
		}
		if len(out) == maxUnknown {
			return append(out, "…")
		}
		name := describe(e.key)
		if s, ok := e.key.(string); ok {
			name = fmt.Sprintf("%.100s", s)
		}
		out = append(out, name)
	}
	return out
}
