package onnx

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/gomlx/compute-onnx/support/protos"
)

// Model is any ONNX graph, for tests of the operators.
type Model struct {
	m      *protos.ModelProto
	inputs []string
}

// Read reads a graph of any inputs and outputs.
func Read(data []byte) (_ *Model, err error) {
	m, err := decode(data)
	if err != nil {
		return nil, &FileError{Path: "bytes", Problem: err.Error(), Err: err}
	}
	out := &Model{m: m}
	given := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		given[t.Name] = true
	}
	for _, in := range m.Graph.Input {
		if !given[in.Name] {
			out.inputs = append(out.inputs, in.Name)
		}
	}
	return out, nil
}

// Inputs lists the inputs that have no value in the file.
func (m *Model) Inputs() []string { return m.inputs }

// Call draws the graph. Inside, each input is a batch of two: the one that is given, and
// the same elements in reverse order. The outputs are those of the first. It panics with
// an *Unsupported, or as graph code does.
func (m *Model) Call(g *Graph, in map[string]*Node) (outs []*Node) {
	p, err := newProgram(m.m, nil)
	if err != nil {
		panic(err)
	}
	d := &drawing{g: g, images: 2, root: model.NewStore().RootScope(), budget: constantBudget, named: map[string]*Node{}}
	d.weight = func(name string, _ dtypes.DType, _ []int, make func() *tensor) *Node {
		return ConstTensor(g, make().device())
	}
	p.start(d)
	for _, name := range m.inputs {
		x := in[name]
		if x == nil {
			panic(fmt.Errorf("the input %q has no value", name))
		}
		dims := append([]int{1}, x.Shape().Dimensions...)
		other := x
		for a := range x.Rank() {
			other = Reverse(other, a)
		}
		other = StopGradient(other)
		d.values[name] = d.varyingValue(Concatenate([]*Node{Reshape(x, dims...), Reshape(other, dims...)}, 0))
	}
	var want []string
	for _, o := range m.m.Graph.Output {
		want = append(want, o.Name)
	}
	p.load(d, m.m.Graph.Node, want, p.opset, 0)
	for _, o := range m.m.Graph.Output {
		v := d.values[o.Name]
		if sizeOf(v.dims) == 0 { // of which XLA takes no literal
			outs = append(outs, Zeros(g, shapes.Make(v.kind, v.dims...)))
			continue
		}
		x := d.plain(v)
		if v.varying {
			x = slice(x, 0, 0, 1, 1)
		}
		outs = append(outs, Reshape(x, v.dims...))
	}
	return outs
}

// Opsets returns the first and the last opset in which an operator is computed.
func Opsets(name string) (since, until int, ok bool) {
	op, ok := operators[name]
	return op.since, op.until, ok
}
