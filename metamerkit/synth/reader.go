package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// reader is what every compiled unit has: a backend, and the variables that some
// layers of one model depend on.
type reader struct {
	Name    string // of the model
	cfg     Config
	backend compute.Backend
	net     *zoo.Net
	paths   []string          // of the variables, in the order of the graphs' parameters
	weights []*tensors.Tensor // likewise
	once    frozen            // what is computed of the weights beforehand
}

// newReader also returns the activations' shapes, for cfg.Batch images.
func newReader(b compute.Backend, c *card.Card, net *zoo.Net, cfg Config, layers ...string) (reader, []shapes.Shape, error) {
	r := reader{Name: c.Name, cfg: cfg, backend: b, net: net}
	var acts []shapes.Shape
	var err error
	if r.paths, acts, err = net.Reads(c.Input, layers...); err != nil {
		return r, nil, fmt.Errorf("synth: model %s: %w", c.Name, err)
	}
	for _, p := range r.paths {
		r.weights = append(r.weights, net.Weights[p])
	}
	for i := range acts {
		acts[i] = acts[i].Clone()
		acts[i].Dimensions[0] = cfg.Batch
	}
	if !cfg.Loops { // the body of a loop has its own parameters; on a GPU it matters little
		if r.once, err = r.prepare(c, layers); err != nil {
			return r, nil, fmt.Errorf("synth: preparing the weights of %s: %w", c.Name, err)
		}
	}
	return r, acts, nil
}

// store returns a store of the variables. They become parameters of whatever
// function asks for them first, so each graph gets a store of its own; the tensors
// are shared.
func (r *reader) store() *model.Store {
	st, err := zoo.NewStore(r.net.Weights, r.paths)
	if err != nil {
		panic(err)
	}
	return st
}

func (r *reader) imageShape() shapes.Shape {
	return shapes.Make(dtypes.Float32, r.cfg.Batch, r.cfg.Size, r.cfg.Size, 3)
}

// parameters makes a parameter for each variable, in order, in the current function.
func parameters(g *Graph, st *model.Store, paths []string) (nodes []*Node) {
	for _, p := range paths {
		nodes = append(nodes, st.GetVariable(p).NodeValue(g))
	}
	return nodes
}

// parameters makes those of a graph that is no loop: the variables, and what was
// computed of them beforehand.
func (r *reader) parameters(g *Graph, st *model.Store) {
	parameters(g, st, r.paths)
	r.once.give(g)
}

// inputs appends the weights to the first inputs of a graph.
func (r *reader) inputs(first ...any) []any {
	for _, w := range r.weights {
		first = append(first, w)
	}
	for _, w := range r.once.tensors {
		first = append(first, w)
	}
	return first
}

// gradient is the inversion loss [B] of images x, and the gradient of loss and
// penalties with respect to them; of the objective, where the optimiser lowers that.
func (r *reader) gradient(s TappedModel, st *model.Store, x, target *Node) (loss, gradient *Node) {
	if f, _ := metamer.SolverOf(r.cfg.Optimizer.Name); f.Smooth {
		loss, _, gradient = r.objective(s, st, x, target)
		return loss, gradient
	}
	a := s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{PassReLU: !r.cfg.PlainReLU}, s.Layer)[0]
	loss = distance(r.cfg.Loss, a, target)
	total := loss
	if p := penalty(r.cfg.Penalties, x); p != nil {
		total = Add(total, p)
	}
	return loss, Gradient(ReduceAllSum(total), x)[0]
}

// slotShapes are the shapes of the optimiser's arrays.
func (r *reader) slotShapes(members int) []shapes.Shape {
	return solver(r.cfg.Optimizer.Name).State(r.cfg.Optimizer, r.imageShape(), members)
}

func (r *reader) stateParameters(g *Graph, in string, members int) (x *Node, slot []*Node) {
	x = Parameter(g, in+"images", r.imageShape())
	for i, shape := range r.slotShapes(members) {
		slot = append(slot, Parameter(g, fmt.Sprintf("%sslot%d", in, i), shape))
	}
	return x, slot
}

// donate hands the state's buffers to the execution, which may write into them.
func (r *reader) donate(st *State) (in []any) {
	for _, t := range append([]*tensors.Tensor{st.Images}, st.Slots...) {
		d, err := DonateTensorBuffer(t, r.backend, 0)
		if err != nil {
			panic(err)
		}
		in = append(in, d)
	}
	return in
}

func compile(g *Graph, outputs ...*Node) {
	if err := g.Compile(outputs...); err != nil {
		panic(err)
	}
}
