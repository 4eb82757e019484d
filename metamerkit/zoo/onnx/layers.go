package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"

	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// Layer is a node of an ONNX graph.
type Layer struct {
	Node   string // its name, which a card's stage refers to; may be empty
	Op     string // such as Conv
	Output string // its first output, by which the layer can also be called
}

// Layers lists all nodes of the file at path, in the order of the graph. Not every
// one is an activation that a stage can stand for: shape arithmetic is listed too.
func Layers(path string) ([]Layer, error) {
	data, err := place.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m, err := decode(data)
	if err != nil {
		return nil, &FileError{path, err.Error()}
	}
	var out []Layer
	for _, n := range m.Graph.Node {
		out = append(out, Layer{n.Name, n.OpType, n.Output[0]})
	}
	return out, nil
}

// taps lists the layers whose value depends on the image, and finds them by node
// or tensor. A node's name goes before a tensor's; one that two nodes bear finds
// neither. alias maps outputs of nodes that were taken out to what stands for them.
func taps(g *protos.GraphProto, alias map[string]node, input, output string) ([]tap, map[string]int) {
	var list []tap
	index, twice := map[string]int{}, []string{}
	depends := map[string]bool{input: true}
	for _, n := range g.Node {
		if n.OpType == "Shape" || n.OpType == "Size" || !slices.ContainsFunc(n.Input, func(s string) bool { return depends[s] }) {
			continue
		}
		for _, o := range n.Output {
			depends[o] = true
		}
		t := tap{name: n.Name, tensor: n.Output[0]}
		if t.name == "" {
			t.name = t.tensor
		}
		if n.OpType == "Relu" {
			t.before = n.Input[0]
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
	for tensor, n := range alias {
		if i, ok := byTensor[n.source]; ok {
			for _, name := range []string{n.name, tensor} {
				if _, taken := index[name]; !taken && name != "" && !slices.Contains(twice, name) {
					index[name] = i
				}
			}
		}
	}
	index[logits] = len(list)
	last := tap{name: logits, tensor: output}
	if i, ok := byTensor[output]; ok {
		last.before = list[i].before
	}
	for i := range list {
		if list[i].name == logits { // the output goes by that name
			list[i].name = list[i].tensor
		}
	}
	return append(list, last), index
}
