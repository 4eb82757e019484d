package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// net is a model, ready to be drawn.
type net struct {
	*program
	input     string
	inputLast bool   // [N,S,S,3]
	output    string // a tensor
	layers    []tap  // in graph order, the output last
	index     map[string]int
	classes   int                        // 0: not known
	weights   map[string]*tensors.Tensor // by scope path
	tensors   map[string]string          // names in the file, by scope path
}

// scopeName is the scope of the weights.
const scopeName = "ONNX"

// encoded is the name of a tensor as a scope has it.
func encoded(name string) string { return strings.ReplaceAll(name, model.ScopeSeparator, "|") }

func pathOf(name string) string {
	return model.JoinPath(model.RootScopePath, scopeName, encoded(name))
}

// constantBudget bounds the elements of the constants that a graph computes.
const constantBudget = 1 << 28

// parse reads the bytes of a file and draws it once, with its gradient, on a graph that
// is thrown away: what cannot be computed is found here. Nothing is run.
func parse(data []byte, size int, beside *folder) (n *net, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, asError(r)
		}
	}()
	m, err := decode(data)
	if err != nil {
		return nil, err
	}
	if err := beside.readAll(m); err != nil {
		return nil, err
	}
	n = &net{weights: map[string]*tensors.Tensor{}, tensors: map[string]string{}}
	if n.input, n.inputLast, err = imageInput(m.Graph, size); err != nil {
		return nil, err
	}
	if n.output, err = onlyOutput(m.Graph); err != nil {
		return nil, err
	}
	if n.program, err = newProgram(m, beside.tensor); err != nil {
		return nil, err
	}
	return n, n.first(m.Graph.Node, size)
}

func asError(r any) error {
	if err, ok := r.(error); ok {
		if u := (*Unsupported)(nil); errors.As(err, &u) {
			return u
		}
		return errors.New(firstLine(err))
	}
	return fmt.Errorf("%v", r)
}

// first draws the graph for two images.
func (n *net) first(nodes []*protos.NodeProto, size int) error {
	b, err := gobackend.New("")
	if err != nil {
		return err
	}
	defer b.Finalize()
	g := NewGraph(b, "import")
	images := Parameter(g, "images", shapes.Make(dtypes.Float32, 2, size, size, 3))
	d := n.drawing(model.NewStore().RootScope(), images)
	d.weight = func(name string, kind dtypes.DType, dims []int, make func() *tensor) *Node {
		path := pathOf(name)
		if other, taken := n.tensors[path]; taken && other != name || encoded(name) == "." || encoded(name) == ".." {
			panic(fmt.Errorf("the name of tensor %q cannot be told from another", name))
		}
		n.tensors[path] = name
		n.weights[path] = make().device()
		return Parameter(g, path, shapes.Make(kind, dims...))
	}
	n.load(d, nodes, []string{n.output}, n.opset, 0)
	out := d.values[n.output]
	if out == nil || !out.varying || out.kind != dtypes.Float32 {
		return fmt.Errorf("the output %q does not depend on the image or is not float32", n.output)
	}
	for path, name := range n.tensors {
		n.tensors[path] = ofKernel(name)
	}
	n.layers, n.index = n.taps(d)
	n.release()
	n.external = nil // and what it has read
	err = exceptions.TryCatch[error](func() { Gradient(ReduceAllSum(d.activation(out)), images) })
	if err != nil {
		return fmt.Errorf("its output has no gradient by the image: %s", firstLine(err))
	}
	return nil
}

// release drops the elements of constants that live on as weights.
func (n *net) release() {
	for _, t := range n.constants {
		if n.weights[pathOf(t.name)] != nil && !t.read {
			t.single, t.double = nil, nil
		}
	}
}

// drawing starts a pass over the graph for images [B,S,S,3].
func (n *net) drawing(s *model.Scope, images *Node) *drawing {
	d := &drawing{g: images.Graph(), images: images.Shape().Dim(0), root: s, budget: constantBudget, external: n.external, named: map[string]*Node{}}
	n.start(d)
	size := images.Shape().Dim(1)
	x := Reshape(images, d.images, size, size, 3)
	if n.inputLast {
		d.values[n.input] = d.varyingValue(Reshape(x, d.images, 1, size, size, 3))
	} else {
		d.values[n.input] = d.imagesValue(x)
	}
	return d
}

// forward is the zoo.Forward of the net. Activations of rank 4 are marked as
// [B,H,W,C], all others as the file has them.
func (n *net) forward(s *model.Scope, images *Node) *Node {
	g := images.Graph()
	d := n.drawing(s, images)
	scope := s.At(scopeName)
	d.weight = func(name string, kind dtypes.DType, dims []int, _ func() *tensor) *Node {
		return scope.VariableWithShape(encoded(name), shapes.Make(kind, dims...)).SetTrainable(false).NodeValue(g)
	}
	plan := n.plan(g)
	need := map[string]bool{}
	for _, t := range plan {
		need[t.tensor] = true
	}
	n.replay(d, need, func(o string) {
		for _, t := range plan {
			if t.tensor == o {
				n.mark(d, t)
			}
		}
	})
	return d.activation(d.values[n.output])
}

// mark marks a layer, whose node goes on as it was marked.
func (n *net) mark(d *drawing, t tap) {
	v := d.values[t.tensor]
	a := d.activation(v)
	if t.name == logits && n.classes > 0 && !slices.Equal(a.Shape().Dimensions, []int{d.images, n.classes}) {
		panic(fmt.Errorf("onnx: the output has the shape %s, expected [%d %d] (--classes)", a.Shape(), d.images, n.classes))
	}
	if before := d.values[t.before]; before != nil {
		a = stage.MarkReLU(d.activation(before), t.name)
	} else {
		a = stage.Mark(a, t.name)
	}
	if len(v.dims) == 4 && v.dims[0] == 1 {
		d.values[t.tensor] = d.imagesValue(a)
	} else {
		d.values[t.tensor] = d.varyingValue(Reshape(a, append([]int{d.images}, v.dims...)...))
	}
}

// replay draws the steps that the needed tensors depend on, and calls after for each
// output.
func (p *program) replay(d *drawing, need map[string]bool, after func(o string)) {
	wanted := make([]bool, len(p.steps))
	for i := len(p.steps) - 1; i >= 0; i-- {
		n := p.steps[i].n
		if wanted[i] = slices.ContainsFunc(n.Output, func(o string) bool { return need[o] }); wanted[i] {
			for _, in := range n.Input {
				need[in] = true
			}
		}
	}
	for i, s := range p.steps {
		if !wanted[i] {
			continue
		}
		d.run(s)
		for _, o := range s.n.Output {
			after(o)
		}
	}
}

// activation is the node of a value that depends on the image, as it is marked.
func (d *drawing) activation(v *value) *Node {
	switch {
	case len(v.dims) == 4 && v.dims[0] == 1:
		return d.channelsLast(v)
	case len(v.dims) > 1 && v.dims[0] == 1:
		return Reshape(d.plain(v), append([]int{d.images}, v.dims[1:]...)...)
	}
	return d.plain(v)
}

// plan says what to mark, in graph order: what the capture under way wants, or all
// layers if it wants a list.
func (n *net) plan(g *Graph) (plan []tap) {
	names, capturing := stage.Wanted(g)
	if !capturing {
		names = []string{logits}
	}
	if len(names) == 0 {
		return n.layers
	}
	if missing := slices.DeleteFunc(slices.Clone(names), n.has); len(missing) > 0 {
		panic(&stage.UnknownLayerError{Missing: missing, Known: n.names()})
	}
	slices.SortFunc(names, func(a, b string) int { return n.index[a] - n.index[b] })
	for _, name := range names {
		t := n.layers[n.index[name]]
		t.name = name // which may be the tensor's
		plan = append(plan, t)
	}
	return plan
}
