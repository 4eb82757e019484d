package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// ChunkSteps is the largest number of steps that one call of a unit takes.
const ChunkSteps = 50

// Subject is one model at one layer, with its weights: what a unit is made for.
type Subject struct {
	Card  *card.Card
	Net   *zoo.Net
	Layer string
}

// Config is everything that a compiled unit depends on besides its subject.
type Config struct {
	Batch, Size int // images, pixels a side
	Loss        string
	Penalties   []metamer.Penalty
	Optimizer   metamer.Optimizer // StepSize and Halvings have no influence
	PlainReLU   bool
	Loops       bool // the backend can run the step in a While: many steps per call
}

// Unit is the compiled step of one model at one layer for one batch shape: from
// images, optimiser state and targets to images, state and losses, any number of
// steps up to ChunkSteps in one call. Images and state stay on the device.
type Unit struct {
	Name    string
	cfg     Config
	backend compute.Backend
	steps   *Graph
	target  *Graph
	weights []*tensors.Tensor // in the order of the graphs' parameters
}

// State is what passes from unit to unit: the images and the optimiser's slots.
type State struct {
	Images *tensors.Tensor // [B,S,S,3]
	Slots  []*tensors.Tensor
}

// NewUnit compiles the unit of a subject.
func NewUnit(b compute.Backend, s Subject, cfg Config) (u *Unit, err error) {
	paths, acts, err := s.Net.Reads(s.Card.Input, s.Layer)
	if err != nil {
		return nil, fmt.Errorf("synth: model %s: %w", s.Card.Name, err)
	}
	u = &Unit{Name: s.Card.Name, cfg: cfg, backend: b}
	for _, p := range paths {
		u.weights = append(u.weights, s.Net.Weights[p])
	}
	act := acts[0].Clone()
	act.Dimensions[0] = cfg.Batch
	// The variables become parameters of whatever function asks for them first, so
	// each graph gets a store of its own. They share the tensors.
	store := func() *model.Store {
		st, e := zoo.NewStore(s.Net.Weights, paths)
		if e != nil {
			panic(e)
		}
		return st
	}
	err = exceptions.TryCatch[error](func() {
		u.target = u.drawTarget(s, store(), paths)
		if cfg.Loops {
			u.steps = u.drawLoop(s, store(), paths, act)
		} else {
			u.steps = u.drawStep(s, store(), paths, act)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling model %s at %s for %d images of %d²: %w", s.Card.Name, s.Layer, cfg.Batch, cfg.Size, err)
	}
	return u, nil
}

func (u *Unit) imageShape() shapes.Shape {
	return shapes.Make(dtypes.Float32, u.cfg.Batch, u.cfg.Size, u.cfg.Size, 3)
}

// parameters makes a parameter for each variable, in order, in the current function.
func parameters(g *Graph, st *model.Store, paths []string) (nodes []*Node) {
	for _, p := range paths {
		nodes = append(nodes, st.GetVariable(p).NodeValue(g))
	}
	return nodes
}

// drawTarget is images, weights → activation.
func (u *Unit) drawTarget(s Subject, st *model.Store, paths []string) *Graph {
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" target")
	x := Parameter(g, "images", u.imageShape())
	parameters(g, st, paths)
	// One more node: the Go backend fails on a variable read after the last output.
	a := MulScalar(s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{}, s.Layer)[0], 1)
	compile(g, a)
	return g
}

// one is a single step: its losses [B], images and slots.
func (u *Unit) one(s Subject, st *model.Store, x *Node, slot []*Node, active, coef, target *Node) (*Node, *Node, []*Node) {
	a := s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{PassReLU: !u.cfg.PlainReLU}, s.Layer)[0]
	loss := distance(u.cfg.Loss, a, target)
	total := loss
	if p := penalty(u.cfg.Penalties, x); p != nil {
		total = Add(total, p)
	}
	g := Gradient(ReduceAllSum(total), x)[0]
	x, slot = step(u.cfg.Optimizer, x, g, slot, coef, active)
	return loss, x, slot
}

// drawStep is images, slots…, active [B], coef [3], target, weights… → losses [B],
// images, slots….
func (u *Unit) drawStep(s Subject, st *model.Store, paths []string, act shapes.Shape) *Graph {
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" step")
	x, slot := u.stateParameters(g, "")
	active := Parameter(g, "active", shapes.Make(dtypes.Bool, u.cfg.Batch))
	coef := Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
	target := Parameter(g, "target", act)
	parameters(g, st, paths)
	loss, x, slot := u.one(s, st, x, slot, active, coef, target)
	compile(g, append([]*Node{loss, x}, slot...)...)
	return g
}

// drawLoop is i, n, losses [K,B], images, slots…, active [B], coefs [K,3], target,
// weights… → losses, images, slots…: steps i to n-1 in one While. All that the
// body reads is loop state, since a body cannot capture nodes of its parent; for
// the same reason main makes no scalar, which the graph would share with the body.
func (u *Unit) drawLoop(s Subject, st *model.Store, paths []string, act shapes.Shape) *Graph {
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" steps")
	count := shapes.Make(dtypes.Int32)
	trace := shapes.Make(dtypes.Float32, ChunkSteps, u.cfg.Batch)
	type state struct {
		i, n, losses, x       *Node
		slot                  []*Node
		active, coefs, target *Node
	}
	// XLA wants names of parameters that differ between main and its closures.
	declare := func(g *Graph, in string) (v state, all []*Node) {
		v.i, v.n = Parameter(g, in+"i", count), Parameter(g, in+"n", count)
		v.losses = Parameter(g, in+"losses", trace)
		v.x, v.slot = u.stateParameters(g, in)
		v.active = Parameter(g, in+"active", shapes.Make(dtypes.Bool, u.cfg.Batch))
		v.coefs = Parameter(g, in+"coefs", shapes.Make(dtypes.Float32, ChunkSteps, numCoefficients))
		v.target = Parameter(g, in+"target", act)
		all = append([]*Node{v.i, v.n, v.losses, v.x}, v.slot...)
		return v, append(all, v.active, v.coefs, v.target)
	}
	_, initial := declare(g, "main.")
	for _, p := range paths {
		initial = append(initial, Parameter(g, "main."+p, st.GetVariable(p).Shape()))
	}
	body := NewClosure(g, func(g *Graph) []*Node {
		v, _ := declare(g, "body.")
		w := parameters(g, st, paths)
		zero := ScalarZero(g, dtypes.Int32)
		coef := Reshape(DynamicSlice(v.coefs, []*Node{v.i, zero}, []int{1, numCoefficients}), numCoefficients)
		loss, x, slot := u.one(s, st, v.x, v.slot, v.active, coef, v.target)
		losses := DynamicUpdateSlice(v.losses, Reshape(loss, 1, u.cfg.Batch), []*Node{v.i, zero})
		out := append([]*Node{AddScalar(v.i, 1), v.n, losses, x}, slot...)
		return append(append(out, v.active, v.coefs, v.target), w...)
	})
	cond := NewClosure(g, func(g *Graph) []*Node {
		v, _ := declare(g, "cond.")
		for _, p := range paths {
			Parameter(g, "cond."+p, st.GetVariable(p).Shape())
		}
		return []*Node{LessThan(v.i, v.n)}
	})
	out := While(cond, body, initial...)
	compile(g, out[2:4+slots(u.cfg.Optimizer)]...)
	return g
}

func (u *Unit) stateParameters(g *Graph, in string) (x *Node, slot []*Node) {
	x = Parameter(g, in+"images", u.imageShape())
	for i := range slots(u.cfg.Optimizer) {
		slot = append(slot, Parameter(g, fmt.Sprintf("%sslot%d", in, i), u.imageShape()))
	}
	return x, slot
}

func compile(g *Graph, outputs ...*Node) {
	if err := g.Compile(outputs...); err != nil {
		panic(err)
	}
}
