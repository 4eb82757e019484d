// Package onnx brings any network of images to classes into the zoo from an ONNX
// file. Its layers are named by ONNX node (the first output of the node), or by
// tensor. Importing it registers the family "onnx".
package onnx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	ox "github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

func init() { zoo.RegisterFamily("onnx", open) }

// Logits is the name under which the graph's output is marked.
const Logits = "logits"

func open(c *card.Card, path string) (*zoo.Net, error) {
	data, _, err := weights.ReadVerified(path, c.Weights.SHA256)
	if err != nil {
		return nil, err
	}
	net, err := Parse(data)
	if err != nil {
		return nil, &weights.FormatError{Path: path, Format: "ONNX", Problem: err.Error()}
	}
	f := &file{Net: net, layers: []string{}}
	for _, s := range metamer.Stages {
		l := c.Stages[s].Layer
		if l != Logits && net.find(l) < 0 {
			return nil, fmt.Errorf("%s: %w", path, metamer.Unknown("ONNX node", l, net.names()))
		}
		f.layers = append(f.layers, l)
	}
	w, err := net.weights()
	if err != nil {
		return nil, &weights.FormatError{Path: path, Format: "ONNX", Problem: err.Error()}
	}
	return &zoo.Net{Forward: f.forward, Weights: w}, nil
}

// Net is a parsed ONNX graph.
type Net struct {
	graph *protos.GraphProto
	model ox.Model
	input string
}

// Parse reads an ONNX file's bytes. The graph has one image input and one output;
// convolutions with even kernels are rewritten (see evenKernels).
func Parse(data []byte) (n *Net, err error) {
	var m protos.ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	g := m.Graph
	if g == nil || len(g.Node) == 0 || len(g.Output) != 1 {
		return nil, fmt.Errorf("expected a graph with nodes and one output")
	}
	stored := map[string]bool{}
	for _, t := range g.Initializer {
		stored[t.GetName()] = true
		if t.GetDataLocation() == protos.TensorProto_EXTERNAL || len(t.ExternalData) > 0 {
			return nil, fmt.Errorf("tensor %s lies in another file; save the model as one file", t.GetName())
		}
		n := int64(1)
		for _, d := range t.Dims {
			if d < 0 || d > 0 && n > int64(len(data))/d {
				return nil, fmt.Errorf("tensor %s of shape %v is larger than the file of %d bytes", t.GetName(), t.Dims, len(data))
			}
			n *= d
		}
	}
	var inputs []string
	for _, in := range g.Input {
		if !stored[in.GetName()] {
			inputs = append(inputs, in.GetName())
		}
	}
	if len(inputs) != 1 {
		return nil, fmt.Errorf("it has the inputs %q, expected one", inputs)
	}
	upgradeSlice(g)
	if err := evenKernels(g); err != nil {
		return nil, err
	}
	rewritten, err := proto.Marshal(&m)
	if err != nil {
		return nil, err
	}
	err = exceptions.TryCatch[error](func() {
		parsed, e := parser.Parse(rewritten)
		if e != nil {
			panic(e)
		}
		parsed.DisableFusion() // fused operations have no gradient
		n = &Net{graph: g, model: parsed, input: inputs[0]}
	})
	return n, err
}

// weights returns the initialisers by the scope path they are read under.
func (n *Net) weights() (map[string]*tensors.Tensor, error) {
	out := map[string]*tensors.Tensor{}
	store := model.NewStore()
	err := exceptions.TryCatch[error](func() {
		if e := n.model.VariablesToScope(store.RootScope()); e != nil {
			panic(e)
		}
		for v := range store.IterVariables() {
			out[v.Path()] = v.MustValue()
		}
	})
	return out, err
}

// find returns the index of the node with that name or with an output of that
// name, -1 if there is none.
func (n *Net) find(name string) int {
	return slices.IndexFunc(n.graph.Node, func(p *protos.NodeProto) bool {
		return p.GetName() == name || slices.Contains(p.Output, name)
	})
}

func (n *Net) names() (out []string) {
	for _, p := range n.graph.Node {
		out = append(out, p.GetName())
	}
	return out
}

// Layer is one node of the graph.
type Layer struct{ Node, Op, Output string }

// Layers lists all nodes in the order of the file.
func (n *Net) Layers() (out []Layer) {
	for _, p := range n.graph.Node {
		out = append(out, Layer{p.GetName(), p.GetOpType(), p.Output[0]})
	}
	return out
}

// file is a net with the layers that its card names.
type file struct {
	*Net
	layers []string
}

// forward imports the graph up to the wanted layers and marks them in the order
// of the graph.
func (f *file) forward(s *model.Scope, x *Node) *Node {
	want, capturing := stage.Wanted(x.Graph())
	switch {
	case !capturing:
		want = []string{Logits}
	case len(want) == 0:
		want = append(slices.Clone(f.layers), Logits)
	}
	type tap struct {
		layer, tensor string
		at            int
		relu          bool
	}
	var taps []tap
	for _, layer := range want {
		if layer == Logits {
			taps = append(taps, tap{layer, f.graph.Output[0].GetName(), len(f.graph.Node), false})
			continue
		}
		i := f.find(layer)
		if i < 0 {
			panic(&stage.UnknownLayerError{Missing: []string{layer}, Known: f.names()})
		}
		p := f.graph.Node[i]
		t := tap{layer, p.Output[0], i, p.GetOpType() == "Relu"}
		if slices.Contains(p.Output, layer) {
			t.tensor = layer
		}
		if t.relu {
			t.tensor = p.Input[0]
		}
		taps = append(taps, t)
	}
	slices.SortFunc(taps, func(a, b tap) int { return a.at - b.at })
	var names []string
	for _, t := range taps {
		names = append(names, t.tensor)
	}
	nchw := TransposeAllAxes(x, 0, 3, 1, 2)
	var last *Node
	for i, a := range f.model.CallGraph(s, x.Graph(), map[string]*Node{f.input: nchw}, names...) {
		if a.Rank() == 4 {
			a = TransposeAllAxes(a, 0, 2, 3, 1)
		}
		if taps[i].relu {
			last = stage.MarkReLU(a, taps[i].layer)
		} else {
			last = stage.Mark(a, taps[i].layer)
		}
	}
	return last
}
