// Package onnx runs models from ONNX files as members of the zoo. Importing it
// registers the family "onnx". A layer is called by the name of its ONNX node, or
// by the name of the node's first output; "logits" is the graph's output.
package onnx

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	gomlxonnx "github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"
	"google.golang.org/protobuf/proto"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

func init() { zoo.RegisterFamily("onnx", Open) }

// logits is the name under which the output is marked.
const logits = "logits"

// FileError reports an ONNX file that cannot be used: damaged, hostile, or with
// something in it that this package does not compute rightly.
type FileError struct{ Path, Problem string }

func (e *FileError) Error() string {
	return fmt.Sprintf("onnx: %s cannot be used: %s", e.Path, e.Problem)
}

// Open reads the file of a card whose family is "onnx" (a zoo.Opener). The card's
// config must be empty. The graph takes one float32 input [N,3,S,S], N dynamic and
// S the card's size, and gives one output [N,classes]. Errors are a
// *weights.ChecksumError or a *FileError.
func Open(c *card.Card, path string) (*zoo.Net, error) {
	if err := zoo.Config(c.Config, &struct{}{}); err != nil {
		return nil, err
	}
	data, sum, err := weights.ReadVerified(path, c.Weights.SHA256)
	if err != nil {
		return nil, err
	}
	n, w, err := parse(data, c.Input.Size)
	if err != nil {
		return nil, &FileError{path, err.Error()}
	}
	n.classes = c.Classes
	for _, st := range slices.Sorted(maps.Keys(c.Stages)) {
		if layer := c.Stages[st].Layer; !n.has(layer) {
			return nil, &FileError{path, fmt.Sprintf("the card's %s stage is layer %q, which the graph does not have or which does not depend on the image", st, layer)}
		}
	}
	return &zoo.Net{Forward: n.forward, Weights: w, SHA256: sum}, nil
}

// net is a parsed graph.
type net struct {
	graph         gomlxonnx.Model
	input, output string // tensors
	layers        []tap  // in graph order, the output last
	index         map[string]int
	classes       int // 0: not known
}

// tap is a layer and how to get it.
type tap struct {
	name, tensor string
	before       string // the input of the node, if that is a Relu
}

func (n *net) has(name string) bool { _, ok := n.index[name]; return ok }

// parse reads the bytes of a file. Nothing is run.
func parse(data []byte, size int) (n *net, w map[string]*tensors.Tensor, err error) {
	defer func() {
		// The importer takes a well-formed graph for granted.
		if r := recover(); r != nil {
			n, w, err = nil, nil, fmt.Errorf("the importer failed: %v", r)
		}
	}()
	m, err := decode(data)
	if err != nil {
		return nil, nil, err
	}
	input, err := checkInput(m.Graph, size)
	if err != nil {
		return nil, nil, err
	}
	alias, err := rewrite(m)
	if err != nil {
		return nil, nil, err
	}
	if w, err = variables(m.Graph); err != nil {
		return nil, nil, err
	}
	n = &net{input: input, output: m.Graph.Output[0].Name}
	n.layers, n.index = taps(m.Graph, alias, n.input, n.output)
	if data, err = proto.Marshal(m); err != nil {
		return nil, nil, err
	}
	if n.graph, err = parser.ParseReader(bytes.NewReader(data)); err != nil {
		return nil, nil, err
	}
	n.graph.DisableFusion() // it hides layers, and fused nodes have no gradient on every backend
	n.graph.WithExternalDataReader(noExternalData{})
	return n, w, nil
}

// forward is the zoo.Forward of the net. Activations of rank 4 are marked as
// [B,H,W,C], all others as the file has them.
func (n *net) forward(s *model.Scope, images *Node) *Node {
	g, batch := images.Graph(), images.Shape().Dim(0)
	plan, listing := n.plan(g)
	want := make([]string, len(plan))
	for i, t := range plan {
		if want[i] = t.tensor; t.before != "" {
			want[i] = t.before
		}
	}
	x := TransposeAllAxes(images, 0, 3, 1, 2)
	for i, a := range n.graph.CallGraph(s, g, map[string]*Node{n.input: x}, want...) {
		t := plan[i]
		shape := a.Shape()
		if shape.DType != dtypes.Float32 || shape.Rank() < 2 || shape.Dim(0) != batch {
			if listing && t.name != logits {
				continue // no activation: a layer cannot be tapped there
			}
			panic(fmt.Errorf("onnx: layer %s has the shape %s, expected Float32 with %d images first", t.name, shape, batch))
		}
		if t.name == logits && n.classes > 0 && (shape.Rank() != 2 || shape.Dim(1) != n.classes) {
			panic(fmt.Errorf("onnx: the output has the shape %s, expected [%d %d]", shape, batch, n.classes))
		}
		if shape.Rank() == 4 {
			a = TransposeAllAxes(a, 0, 2, 3, 1)
		}
		if t.before != "" {
			a = stage.MarkReLU(a, t.name)
		} else {
			a = stage.Mark(a, t.name)
		}
		if t.name == logits {
			return a
		}
	}
	panic("onnx: a capture went on behind its last layer")
}

// plan says what to draw, in graph order: what the capture under way wants, or all
// layers if it wants a list.
func (n *net) plan(g *Graph) (plan []tap, listing bool) {
	names, capturing := stage.Wanted(g)
	if !capturing {
		names = []string{logits}
	}
	if len(names) == 0 {
		return n.layers, true
	}
	if missing := slices.DeleteFunc(slices.Clone(names), n.has); len(missing) > 0 {
		e := &stage.UnknownLayerError{Missing: missing}
		for _, t := range n.layers {
			e.Known = append(e.Known, t.name)
		}
		panic(e)
	}
	slices.SortFunc(names, func(a, b string) int { return n.index[a] - n.index[b] })
	for _, name := range names {
		t := n.layers[n.index[name]]
		t.name = name // which may be the tensor's
		plan = append(plan, t)
	}
	return plan, false
}
