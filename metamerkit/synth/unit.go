package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// chunkSteps is the largest number of steps that one call of a unit takes.
const chunkSteps = 50

// TappedModel is one model at one layer, with its weights: what a unit is made for.
type TappedModel struct {
	Card  *card.Card
	Net   *zoo.Net
	Layer string
}

// Config is everything that a compiled unit depends on besides its tapped model.
type Config struct {
	Batch, Size int // images, pixels a side
	Loss        string
	Penalties   []metamer.Penalty
	Optimizer   metamer.Optimizer // StepSize and Halvings have no influence
	PlainReLU   bool
	Loops       bool // the backend can run the step in a While: many steps per call
	Values      bool // Gradients gives values and unscaled gradients whatever the optimiser
}

// searcher is the optimiser if it is a Searcher.
func (c Config) searcher() Searcher {
	s, _ := solvers[c.Optimizer.Name].(Searcher)
	return s
}

// values says whether Gradients gives the objective's values and unscaled gradients.
func (c Config) values() bool { return c.Values || c.searcher() != nil }

// Unit is the compiled step of one model at one layer for one batch shape: from
// images, optimiser state and targets to images, state and losses, any number of
// steps up to chunkSteps in one call. Images and state stay on the device.
type Unit struct {
	reader
	steps  *Graph
	target *Graph
}

// newUnit compiles the unit of a tapped model; with targetOnly, one that knows its target
// and takes no steps.
func newUnit(b compute.Backend, s TappedModel, cfg Config, targetOnly bool) (u *Unit, err error) {
	r, acts, err := newReader(b, s.Card, s.Net, cfg, s.Layer)
	if err != nil {
		return nil, err
	}
	u = &Unit{reader: r}
	err = exceptions.TryCatch[error](func() {
		u.target = u.drawTarget(s)
		if targetOnly {
			return
		}
		if cfg.Loops {
			u.steps = u.drawLoop(s, acts[0])
		} else {
			u.steps = u.drawStep(s, acts[0])
		}
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling model %s at %s for %d images of %d²: %w", s.Card.Name, s.Layer, cfg.Batch, cfg.Size, err)
	}
	return u, nil
}

// drawTarget is images, weights → activation.
func (u *Unit) drawTarget(s TappedModel) *Graph {
	st := u.store()
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" target")
	x := Parameter(g, "images", u.imageShape())
	u.parameters(g, st)
	compile(g, s.Net.Tap(st.RootScope(), s.Card.Input, x, stage.Options{}, s.Layer)[0])
	return g
}

// one is a single step: its losses [B], images and slots.
func (u *Unit) one(s TappedModel, st *model.Store, x *Node, slot []*Node, active, coef, target *Node) (*Node, *Node, []*Node) {
	loss, g := u.gradient(s, st, x, target)
	loss = marked(loss, g)
	x, slot = solver(u.cfg.Optimizer.Name).Step(Situation{Optimizer: u.cfg.Optimizer, Images: x, State: slot, Active: active, Coefficients: coef, Gradient: g})
	return loss, x, slot
}

// drawStep is images, slots…, active [B], coef [3], target, weights… → losses [B],
// images, slots….
func (u *Unit) drawStep(s TappedModel, act shapes.Shape) *Graph {
	st := u.store()
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" step")
	x, slot := u.stateParameters(g, "", 1)
	active := Parameter(g, "active", shapes.Make(dtypes.Bool, u.cfg.Batch))
	coef := Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
	target := Parameter(g, "target", act)
	u.parameters(g, st)
	loss, x, slot := u.one(s, st, x, slot, active, coef, target)
	compile(g, append([]*Node{loss, x}, slot...)...)
	return g
}

// drawLoop is i, n, losses [K,B], images, slots…, active [B], coefs [K,3], target,
// weights… → losses, images, slots…: steps i to n-1 in one While. All that the
// body reads is loop state, since a body cannot capture nodes of its parent; for
// the same reason main makes no scalar, which the graph would share with the body.
func (u *Unit) drawLoop(s TappedModel, act shapes.Shape) *Graph {
	st := u.store()
	g := NewGraph(u.backend, s.Card.Name+" "+s.Layer+" steps")
	count := shapes.Make(dtypes.Int32)
	trace := shapes.Make(dtypes.Float32, chunkSteps, u.cfg.Batch)
	type state struct {
		i, n, losses, x       *Node
		slot                  []*Node
		active, coefs, target *Node
	}
	// XLA wants names of parameters that differ between main and its closures.
	declare := func(g *Graph, in string) (v state, all []*Node) {
		v.i, v.n = Parameter(g, in+"i", count), Parameter(g, in+"n", count)
		v.losses = Parameter(g, in+"losses", trace)
		v.x, v.slot = u.stateParameters(g, in, 1)
		v.active = Parameter(g, in+"active", shapes.Make(dtypes.Bool, u.cfg.Batch))
		v.coefs = Parameter(g, in+"coefs", shapes.Make(dtypes.Float32, chunkSteps, numCoefficients))
		v.target = Parameter(g, in+"target", act)
		all = append([]*Node{v.i, v.n, v.losses, v.x}, v.slot...)
		return v, append(all, v.active, v.coefs, v.target)
	}
	_, initial := declare(g, "main.")
	for _, p := range u.paths {
		initial = append(initial, Parameter(g, "main."+p, st.GetVariable(p).Shape()))
	}
	body := NewClosure(g, func(g *Graph) []*Node {
		v, _ := declare(g, "body.")
		w := parameters(g, st, u.paths)
		zero := ScalarZero(g, dtypes.Int32)
		coef := Reshape(DynamicSlice(v.coefs, []*Node{v.i, zero}, []int{1, numCoefficients}), numCoefficients)
		loss, x, slot := u.one(s, st, v.x, v.slot, v.active, coef, v.target)
		losses := DynamicUpdateSlice(v.losses, Reshape(loss, 1, u.cfg.Batch), []*Node{v.i, zero})
		out := append([]*Node{AddScalar(v.i, 1), v.n, losses, x}, slot...)
		return append(append(out, v.active, v.coefs, v.target), w...)
	})
	cond := NewClosure(g, func(g *Graph) []*Node {
		v, _ := declare(g, "cond.")
		for _, p := range u.paths {
			Parameter(g, "cond."+p, st.GetVariable(p).Shape())
		}
		return []*Node{LessThan(v.i, v.n)}
	})
	out := While(cond, body, initial...)
	compile(g, out[2:4+len(u.slotShapes(1))]...)
	return g
}
