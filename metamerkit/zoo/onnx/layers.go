package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// tap is a layer and how to get it.
type tap struct {
	name, tensor string
	before       string // the input of the node, if that is a Relu
}

func (n *net) has(name string) bool { _, ok := n.index[name]; return ok }

// names are the names of all layers, in graph order.
func (n *net) names() (out []string) {
	for _, t := range n.layers {
		out = append(out, t.name)
	}
	return out
}

// taps lists the layers whose value depends on the image, and finds them by node
// or tensor. A node's name goes before a tensor's; one that two nodes bear finds
// neither. Nodes that do nothing are other names of the layer before them.
func (n *net) taps(d *drawing) ([]tap, map[string]int) {
	var list []tap
	index, twice := map[string]int{}, []string{}
	for _, s := range n.steps {
		v := d.values[s.n.Output[0]]
		if s.op.passes || v == nil || !v.varying || v.kind != dtypes.Float32 || len(v.dims) == 0 {
			continue
		}
		t := tap{name: s.n.Name, tensor: s.n.Output[0]}
		if t.name == "" {
			t.name = t.tensor
		}
		if s.n.OpType == "Relu" {
			t.before = s.n.Input[0]
		}
		if _, dup := index[t.name]; dup {
			twice = append(twice, t.name)
		}
		index[t.name] = len(list)
		list = append(list, t)
	}
	for _, name := range twice {
		delete(index, name)
	}
	byTensor := map[string]int{}
	for i, t := range list {
		byTensor[t.tensor] = i
		if _, taken := index[t.tensor]; !taken && !slices.Contains(twice, t.tensor) {
			index[t.tensor] = i
		}
	}
	for tensor, a := range n.alias {
		if i, ok := byTensor[a.source]; ok {
			for _, name := range []string{a.name, tensor} {
				if _, taken := index[name]; !taken && name != "" && !slices.Contains(twice, name) {
					index[name] = i
				}
			}
		}
	}
	index[logits] = len(list)
	last := tap{name: logits, tensor: n.output}
	source := n.output
	if a, ok := n.alias[source]; ok {
		source = a.source
	}
	if i, ok := byTensor[source]; ok {
		last.before = list[i].before
	}
	for i := range list {
		if list[i].name == logits { // the output goes by that name
			list[i].name = list[i].tensor
		}
	}
	return append(list, last), index
}

// decodeFile is decode of the file at path.
func decodeFile(path string) (*protos.ModelProto, error) {
	data, err := paths.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m, err := decode(data)
	if err != nil {
		return nil, &FileError{Path: path, Problem: err.Error(), Err: err}
	}
	return m, nil
}
