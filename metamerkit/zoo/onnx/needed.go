package onnx

import (
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
)

// needed returns the nodes that the wanted tensors depend on, in their order. Outputs
// after the first that no node reads lose their names, as if they had been left out.
func needed(nodes []*protos.NodeProto, want ...string) (out []*protos.NodeProto) {
	read := map[string]bool{}
	for _, name := range want {
		read[name] = true
	}
	delete(read, "")
	for _, n := range slices.Backward(nodes) {
		if n != nil && !slices.ContainsFunc(n.Output, func(o string) bool { return read[o] }) {
			continue
		}
		out = append(out, trimmed(n, read))
		reads(n, func(name string) { read[name] = name != "" })
	}
	slices.Reverse(out)
	return out
}

// trimmed is n without the names of outputs after the first that are not read.
func trimmed(n *protos.NodeProto, read map[string]bool) *protos.NodeProto {
	if len(n.GetOutput()) < 2 {
		return n
	}
	c := &protos.NodeProto{Name: n.Name, OpType: n.OpType, Domain: n.Domain, Overload: n.Overload, Input: n.Input, Attribute: n.Attribute}
	for i, o := range n.Output {
		if i > 0 && !read[o] {
			o = ""
		}
		c.Output = append(c.Output, o)
	}
	return c
}

// reads calls f for each tensor that a node or a graph inside of it may read.
func reads(n *protos.NodeProto, f func(name string)) {
	for _, in := range n.GetInput() {
		f(in)
	}
	for _, a := range n.GetAttribute() {
		for _, g := range append(slices.Clone(a.GetGraphs()), a.GetG()) {
			for _, inner := range g.GetNode() {
				reads(inner, f)
			}
			for _, o := range g.GetOutput() {
				f(o.GetName())
			}
		}
	}
}
