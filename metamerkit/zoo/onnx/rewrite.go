package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// node is a node that was taken out of the graph, and the tensor that its first
// output equals.
type node struct{ name, source string }

// rewrite changes a graph, without changing what it computes, into one that the
// importer and its gradients compute rightly, and refuses what it cannot change.
// It returns the nodes that it took out, by first output.
func rewrite(m *protos.ModelProto) (map[string]node, error) {
	g := m.Graph
	alias, err := dropIdentities(g)
	if err != nil {
		return nil, err
	}
	opset := int64(0)
	for _, o := range m.OpsetImport {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			opset = o.Version
		}
	}
	if opset < 7 {
		return nil, fmt.Errorf("opset %d, expected 7 or later: broadcasting meant something else before", opset)
	}
	if err := upgrade(g); err != nil {
		return nil, err
	}
	o := newOdd(g)
	for _, n := range g.Node {
		switch n.OpType {
		case "Conv":
			err = o.conv(n)
		case "AveragePool", "MaxPool":
			err = pool(n)
		case "BatchNormalization":
			// It only matters in training, and the importer refuses other values.
			remove(n, "momentum")
		case "Softmax", "LogSoftmax":
			if opset < 13 && find(n, "axis") == nil {
				err = fmt.Errorf("before opset 13 a softmax without an axis flattens its input, got opset %d", opset)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name, n.OpType, err)
		}
	}
	g.Initializer = append(g.Initializer, o.made...)
	constants(g)
	return alias, nil
}

// dropIdentities takes Identity and (in inference) Dropout nodes out: GoMLX's
// Identity has no gradient, and the importer knows no Dropout.
func dropIdentities(g *protos.GraphProto) (map[string]node, error) {
	alias := map[string]node{}
	masks := map[string]bool{}
	var kept []*protos.NodeProto
	for _, n := range g.Node {
		for i, in := range n.Input {
			if a, ok := alias[in]; ok {
				n.Input[i] = a.source
			}
			if masks[in] {
				return nil, fmt.Errorf("node %q reads the mask of a Dropout", n.Name)
			}
		}
		if n.OpType != "Identity" && n.OpType != "Dropout" {
			kept = append(kept, n)
			continue
		}
		if len(n.Input) == 0 || len(n.Input) > 2 && n.Input[2] != "" {
			return nil, fmt.Errorf("node %q (%s) has the inputs %q: expected one, and no training mode", n.Name, n.OpType, n.Input)
		}
		alias[n.Output[0]] = node{n.Name, n.Input[0]}
		for _, o := range n.Output[1:] {
			masks[o] = o != ""
		}
	}
	g.Node = kept
	if a, ok := alias[g.Output[0].Name]; ok {
		g.Output[0].Name = a.source
	}
	return alias, nil
}

// constants turns initializers that are no weights (integers, single numbers, and
// what is not float32) into Constant nodes, whose values the importer can use as
// shapes and axes, and drops those that nothing reads.
func constants(g *protos.GraphProto) {
	read := map[string]bool{g.Output[0].Name: true}
	static := map[string]bool{}
	for _, n := range g.Node {
		for i, in := range n.Input {
			read[in] = true
			if i > 0 && slices.Contains([]string{"Resize", "Upsample", "Clip", "Pad", "Range", "Tile"}, n.OpType) {
				static[in] = true
			}
		}
	}
	var kept []*protos.TensorProto
	var made []*protos.NodeProto
	for _, t := range g.Initializer {
		switch {
		case !read[t.Name]:
		case protos.TensorProto_DataType(t.DataType) == protos.TensorProto_FLOAT && elements(t) != 1 && !static[t.Name]:
			kept = append(kept, t)
		default:
			made = append(made, &protos.NodeProto{OpType: "Constant", Output: []string{t.Name}, Attribute: []*protos.AttributeProto{
				{Name: "value", Type: protos.AttributeProto_TENSOR, T: t},
			}})
		}
	}
	g.Initializer = kept
	g.Node = append(made, g.Node...)
}

func elements(t *protos.TensorProto) int {
	n := 1
	for _, d := range t.Dims {
		n *= int(d)
	}
	return n
}

// find returns the attribute of that name, or nil.
func find(n *protos.NodeProto, name string) *protos.AttributeProto {
	for _, a := range n.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func remove(n *protos.NodeProto, name string) {
	n.Attribute = slices.DeleteFunc(n.Attribute, func(a *protos.AttributeProto) bool { return a.Name == name })
}

// numbers returns a list attribute, or n times the default value.
func numbers(p *protos.NodeProto, name string, n int, value int64) ([]int64, error) {
	a := find(p, name)
	if a == nil {
		return slices.Repeat([]int64{value}, n), nil
	}
	if len(a.Ints) != n {
		return nil, fmt.Errorf("%s is %v, expected %d numbers", name, a.Ints, n)
	}
	return slices.Clone(a.Ints), nil
}

func set(n *protos.NodeProto, name string, v []int64) {
	remove(n, name)
	n.Attribute = append(n.Attribute, &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: v})
}
