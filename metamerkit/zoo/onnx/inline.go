package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// functionKey names a function of the file.
type functionKey struct{ domain, name, overload string }

func keyOf(domain, name, overload string) functionKey {
	if domain == "ai.onnx" {
		domain = ""
	}
	return functionKey{domain, name, overload}
}

// function writes a call of a function of the file out: its nodes, with the call's
// tensors and attributes in place of the function's own. Tensors inside are called by
// the call's first output and their own name.
func (p *program) function(d *drawing, n *protos.NodeProto, f *protos.FunctionProto, depth int) {
	if len(n.Input) > len(f.Input) || len(n.Output) > len(f.Output) {
		panic(fmt.Errorf("node %q calls the function %q with %d inputs and %d outputs, expected at most %d and %d", n.Name, f.Name, len(n.Input), len(n.Output), len(f.Input), len(f.Output)))
	}
	names := map[string]string{"": ""}
	for i, in := range f.Input {
		names[in] = ""
		if i < len(n.Input) {
			names[in] = n.Input[i]
		}
	}
	for i, o := range f.Output {
		if i < len(n.Output) && n.Output[i] != "" {
			if _, isInput := names[o]; isInput {
				panic(fmt.Errorf("function %q returns its input %q", f.Name, o))
			}
			names[o] = n.Output[i]
		}
	}
	given := map[string]*protos.AttributeProto{}
	for _, a := range f.AttributeProto {
		given[a.GetName()] = a
	}
	for _, a := range n.Attribute {
		if a.GetName() != "" && given[a.Name] == nil && !slices.Contains(f.Attribute, a.Name) {
			panic(fmt.Errorf("node %q gives the function %q the attribute %q, which it does not have", n.Name, f.Name, a.Name))
		}
		given[a.GetName()] = a
	}
	opset := opsetOf(f.OpsetImport)
	if opset == 0 {
		opset = p.opset
	}
	p.load(d, renamed(f.Node, opset, label(n)+"/"+n.Output[0], names, given), n.Output, opset, depth+1)
}

// branch chooses a branch of an If, whose condition must be a constant.
func (p *program) branch(d *drawing, s *step, depth int) {
	n := s.n
	refuse := func(why string) {
		panic(&Unsupported{Node: label(n), Op: n.OpType, Opset: s.opset, Why: why, Hint: hintControl})
	}
	if len(n.Input) != 1 || d.values[n.Input[0]] == nil {
		refuse("it has no condition")
	}
	cond := d.values[n.Input[0]].host
	if cond == nil || cond.size() != 1 {
		refuse("its condition depends on the image, expected a constant")
	}
	which := "else_branch"
	if cond.float(0) != 0 {
		which = "then_branch"
	}
	a := s.attrs[which]
	if a == nil || a.G == nil || len(a.G.Output) != len(n.Output) || len(a.G.Input) > 0 || len(a.G.SparseInitializer) > 0 {
		refuse("its " + which + " is missing or has other outputs than the node")
	}
	// Names of the outer graph are seen inside; those of the branch get a prefix.
	names := map[string]string{"": ""}
	prefix := label(n) + "/" + n.Output[0]
	nodes := slices.Clone(a.G.Node)
	for _, t := range a.G.Initializer {
		value, err := tensorOf(t, p.external)
		if err != nil {
			panic(err)
		}
		name := prefix + "/" + t.GetName()
		names[t.GetName()], p.constants[name], d.values[name] = name, value, hostValue(name, value)
	}
	own := map[string]bool{}
	for _, inner := range nodes {
		for _, o := range inner.GetOutput() {
			own[o] = true
		}
	}
	for _, inner := range nodes {
		for _, in := range inner.GetInput() {
			if _, known := names[in]; !known && !own[in] {
				names[in] = in
			}
		}
	}
	for i, o := range a.G.Output {
		if !own[o.GetName()] { // an outer tensor or an initializer as it is
			from := o.GetName()
			if inner, ok := names[from]; ok {
				from = inner
			}
			nodes = append(nodes, &protos.NodeProto{OpType: "Identity", Input: []string{"\x00" + from}, Output: []string{"\x00" + n.Output[i]}})
			names["\x00"+from], names["\x00"+n.Output[i]] = from, n.Output[i]
			continue
		}
		if _, twice := names[o.GetName()]; twice {
			refuse("its " + which + " returns one tensor twice")
		}
		names[o.GetName()] = n.Output[i]
	}
	p.load(d, renamed(nodes, s.opset, prefix, names, nil), n.Output, s.opset, depth+1)
}

// renamed copies nodes with other names for their tensors, and with the values of the
// attributes that they refer to. Names that are not in the map get the prefix.
func renamed(nodes []*protos.NodeProto, opset int, prefix string, names map[string]string, given map[string]*protos.AttributeProto) []*protos.NodeProto {
	rename := func(list []string) []string {
		out := make([]string, len(list))
		for i, name := range list {
			var ok bool
			if out[i], ok = names[name]; !ok {
				out[i] = prefix + "/" + name
			}
		}
		return out
	}
	var out []*protos.NodeProto
	for _, n := range nodes {
		if n == nil {
			continue
		}
		c := &protos.NodeProto{OpType: n.OpType, Domain: n.Domain, Overload: n.Overload, Input: rename(n.Input), Output: rename(n.Output)}
		if n.Name != "" {
			c.Name = prefix + "/" + n.Name
		}
		for _, a := range n.Attribute {
			if a.GetG() != nil || len(a.GetGraphs()) > 0 {
				panic(&Unsupported{Node: label(n), Op: n.OpType, Opset: opset, Attribute: a.Name, Why: "it lies in a function or branch and holds a graph of its own", Hint: hintControl})
			}
			if ref := a.GetRefAttrName(); ref != "" {
				from := given[ref]
				if from == nil {
					continue // the operator's own default
				}
				a2 := proto.Clone(from).(*protos.AttributeProto)
				a2.Name = a.Name
				a = a2
			}
			c.Attribute = append(c.Attribute, a)
		}
		out = append(out, c)
	}
	return out
}
