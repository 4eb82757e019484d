package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/support/exceptions"
)

// program is a graph with its constants folded, its functions written out and its
// branches chosen.
type program struct {
	constants map[string]*tensor // initializers and what was folded of them, by name
	steps     []*step
	alias     map[string]node // nodes that do nothing, by first output
	functions map[functionKey]*protos.FunctionProto
	external  reader
	opset     int
	loaded    int // nodes so far
}

// reader finds the bytes of a tensor that lies in another file.
type reader func(p *protos.TensorProto, size int) ([]byte, error)

// step is a node that is drawn.
type step struct {
	n     *protos.NodeProto
	opset int
	op    operator
	attrs map[string]*protos.AttributeProto
}

// node is a node that does nothing, and the tensor that its first output equals.
type node struct{ name, source string }

// newProgram reads the constants of a model.
func newProgram(m *protos.ModelProto, external reader) (*program, error) {
	p := &program{constants: map[string]*tensor{}, alias: map[string]node{}, functions: map[functionKey]*protos.FunctionProto{}, external: external}
	if p.opset = opsetOf(m.OpsetImport); p.opset < oldest || p.opset > newest {
		return nil, &Unsupported{Opset: p.opset, Why: fmt.Sprintf("expected %d to %d", oldest, newest), Hint: hintOpset}
	}
	for _, f := range m.Functions {
		if f != nil {
			p.functions[keyOf(f.Domain, f.Name, f.Overload)] = f
		}
	}
	for _, t := range m.Graph.Initializer {
		value, err := tensorOf(t, external)
		if err != nil {
			return nil, err
		}
		p.constants[t.Name] = value
	}
	return p, nil
}

// start gives a drawing the constants of p.
func (p *program) start(d *drawing) {
	d.values = map[string]*value{}
	for name, t := range p.constants {
		d.values[name] = hostValue(name, t)
	}
}

// load draws the nodes of a model for the first time: what has constants for inputs
// alone is folded, all else becomes a step. Nodes that the wanted tensors do not need are
// left out.
func (p *program) load(d *drawing, nodes []*protos.NodeProto, want []string, opset, depth int) {
	if depth > 20 {
		panic(fmt.Errorf("functions and branches lie more than 20 deep in each other"))
	}
	for _, n := range needed(nodes, want...) {
		if err := checkNode(n); err != nil {
			panic(err)
		}
		if f := p.functions[keyOf(n.Domain, n.OpType, n.Overload)]; f != nil {
			p.function(d, n, f, depth)
			continue
		}
		if p.loaded++; p.loaded > maxNodes {
			panic(fmt.Errorf("more than %d nodes, with its functions written out", maxNodes))
		}
		for _, o := range n.Output {
			if d.values[o] != nil {
				panic(fmt.Errorf("tensor %q is defined twice", o))
			}
		}
		s := p.step(n, opset)
		if n.OpType == "If" {
			p.branch(d, s, depth)
			continue
		}
		outs := d.run(s)
		folded := !slices.ContainsFunc(outs, func(v *value) bool { return v != nil && v.host == nil })
		for i, o := range n.Output {
			if i >= len(outs) || o == "" || outs[i] == nil {
				continue
			}
			if v := outs[i]; v.host != nil {
				p.constants[o] = v.host
				d.values[o] = hostValue(o, v.host)
			} else if s.op.passes {
				source := n.Input[0]
				if a, ok := p.alias[source]; ok {
					source = a.source
				}
				p.alias[o] = node{n.Name, source}
			}
		}
		if !folded {
			p.steps = append(p.steps, s)
		}
	}
}

// step looks the operator of a node up.
func (p *program) step(n *protos.NodeProto, opset int) *step {
	refuse := func(hint, format string, args ...any) {
		panic(&Unsupported{Node: label(n), Op: n.OpType, Opset: opset, Why: fmt.Sprintf(format, args...), Hint: hint})
	}
	op, ok := operators[n.OpType]
	switch {
	case n.Domain != "" && n.Domain != "ai.onnx":
		refuse(hintOptimizer, "the operator is of the domain %q, expected a standard operator", n.Domain)
	case n.OpType == "Loop" || n.OpType == "Scan":
		refuse(hintControl, "loops are not supported")
	case !ok && n.OpType != "If":
		refuse("", "the operator is not supported")
	case ok && (opset < op.since || opset > op.until):
		refuse(hintOpset, "the operator is supported in opsets %d to %d", op.since, op.until)
	}
	s := &step{n: n, opset: opset, op: op, attrs: map[string]*protos.AttributeProto{}}
	for _, a := range n.Attribute {
		if a == nil {
			continue
		}
		if s.attrs[a.Name] != nil {
			refuse("", "the attribute %q is given twice", a.Name)
		}
		s.attrs[a.Name] = a
	}
	return s
}

// run computes one node and keeps its outputs. It panics with an *Unsupported.
func (d *drawing) run(s *step) []*value {
	c := &call{drawing: d, n: s.n, opset: s.opset, attrs: s.attrs, read: map[string]bool{}}
	for _, in := range s.n.Input {
		if in == "" {
			c.in = append(c.in, nil)
			continue
		}
		v := d.values[in]
		if v == nil {
			panic(fmt.Errorf("node %q reads tensor %q before it is computed", s.n.Name, in))
		}
		c.in = append(c.in, v)
	}
	c.used = make([]bool, len(c.in))
	var outs []*value
	err := exceptions.TryCatch[error](func() { outs = c.compute(s.op) })
	if err != nil {
		if _, ok := err.(*Unsupported); !ok {
			err = &Unsupported{Node: label(s.n), Op: s.n.OpType, Opset: s.opset, Why: firstLine(err)}
		}
		panic(err)
	}
	for i, o := range s.n.Output {
		if o == "" {
			continue
		}
		if i >= len(outs) || outs[i] == nil {
			continue // see missing
		}
		d.values[o] = outs[i]
	}
	return outs
}

// compute runs the operator, and refuses what it did not read.
func (c *call) compute(op operator) (outs []*value) {
	for i, v := range c.in {
		if v != nil && v.host == nil && sizeOf(v.dims) == 0 {
			c.refuse(c.inputName(i), "", "it is empty: %v", v.dims)
		}
	}
	if op.fold != nil && c.constant() {
		for _, t := range op.fold(c) {
			if t == nil {
				outs = append(outs, nil)
				continue
			}
			outs = append(outs, hostValue("", t))
		}
	} else {
		outs = op.run(c)
	}
	for name := range c.attrs {
		if !c.read[name] {
			c.refuse(name, hintOpset, "the attribute is not supported here")
		}
	}
	for i, v := range c.in {
		if v != nil && !c.used[i] {
			c.refuse(c.inputName(i), hintOpset, "the input is not supported here")
		}
	}
	for i, o := range c.n.Output {
		if o != "" && (i >= len(outs) || outs[i] == nil) {
			c.refuse(fmt.Sprintf("output %q", o), hintEval, "the output is not supported")
		}
	}
	for _, v := range outs {
		if v != nil {
			sizeOf(v.dims)
		}
	}
	return outs
}

// firstLine is a message without the stack that graph code adds.
func firstLine(err error) string {
	s := err.Error()
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}
