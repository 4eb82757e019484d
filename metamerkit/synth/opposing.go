package synth

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// opposing is the compiled step of an optimiser that holds the distances of some models below
// levels and drives the differences of others up. For each image apart it lowers the
// augmented Lagrangian of Hestenes (1969), Powell (1969) and Rockafellar (1973),
//
//	L = −mean_G D_G + Σ_F max(0, λ_F + ρ c_F)² / 2ρ,  c_F = d_F/ε_F − 1,  D_G = v_G/(1+v_G)
//
// with the relative L2 distance d_F of a member F, its level ε_F and the objective v_G of a
// model G. When it is due, λ_F becomes max(0, λ_F + ρ c_F). It knows no model.
type opposing struct {
	reader
	members, others int
	g               *Graph
}

const (
	// stiffness is ρ. D lies in [0,1] and c is 0 at the level and −1 at equality, so that the
	// same number serves all models; the multipliers see to it that the solution does not
	// depend on it.
	stiffness = 10
	// mostMultiplier bounds λ while an image is far from its levels. Where the largest D is
	// a concave function of the levels, none is above 1.
	mostMultiplier = 10
)

// multipliers is the shape of the array behind the optimiser's: for each image the
// multipliers of the members, then their levels.
func (u *opposing) multipliers() shapes.Shape {
	return shapes.Make(dtypes.Float32, u.cfg.Batch, 2*u.members)
}

// shapes are those of the optimiser's arrays and of multipliers. A Searcher keeps the losses
// of all models and then their values.
func (u *opposing) shapes() []shapes.Shape {
	return append(u.slotShapes(2*(u.members+u.others)), u.multipliers())
}

func newOpposing(b compute.Backend, cfg Config, members, others int) (*opposing, error) {
	u := &opposing{reader: reader{Name: cfg.Optimizer.Name, cfg: cfg, backend: b}, members: members, others: others}
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(b, cfg.Optimizer.Name+" step against")
		s := Situation{Optimizer: cfg.Optimizer, Images: Parameter(g, "images", u.imageShape())}
		for i, shape := range u.shapes() {
			s.State = append(s.State, Parameter(g, fmt.Sprintf("slot%d", i), shape))
		}
		s.Active = Parameter(g, "active", shapes.Make(dtypes.Bool, cfg.Batch))
		s.Coefficients = Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
		due := LogicalAnd(s.Active, BroadcastToDims(Parameter(g, "due", shapes.Make(dtypes.Bool, 1)), cfg.Batch))
		perImage := shapes.Make(dtypes.Float32, cfg.Batch)
		var losses, values, gradients []*Node
		for i := range members + others {
			losses = append(losses, Parameter(g, fmt.Sprintf("loss%d", i), perImage))
			values = append(values, Parameter(g, fmt.Sprintf("value%d", i), perImage))
			gradients = append(gradients, Parameter(g, fmt.Sprintf("gradient%d", i), u.imageShape()))
		}
		seen := Stack(append(losses, values...), 1)
		x, slot := u.draw(s, due, seen, gradients)
		if search := cfg.searcher(); search != nil {
			seen = slot[search.Losses()]
		}
		compile(g, append([]*Node{MulScalar(seen, 1), x}, slot...)...)
		u.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the step of %s against other models: %w", cfg.Optimizer.Name, err)
	}
	return u, nil
}

// draw is the step from what was seen of all models [B,2N], losses before values, and their
// gradients.
func (u *opposing) draw(s Situation, due, seen *Node, gradients []*Node) (x *Node, slot []*Node) {
	last := len(s.State) - 1
	held := s.State[last]
	s.State = s.State[:last]
	search := u.cfg.searcher()
	if search == nil {
		held = u.raise(held, seen, due)
	}
	s.Value, s.Gradient = u.lagrangian(held, seen, gradients)
	if search == nil {
		s.Gradient = unit(s.Gradient)
		x, slot = solver(u.cfg.Optimizer.Name).Step(s)
		return x, append(slot, held)
	}
	s.Losses = seen
	x, slot = solver(u.cfg.Optimizer.Name).Step(s)
	next := u.raise(held, slot[search.Losses()], due)
	// Where the objective is another, the images are evaluated again before the next search.
	due = LogicalAny(NotEqual(next, held), 1)
	held = next
	for i := range slot {
		switch {
		case i == search.Trial():
			slot[i] = pick(due, x, slot[i])
		case i != search.Losses() && !slices.Contains(search.Persistent(), i):
			slot[i] = pick(due, ZerosLike(slot[i]), slot[i])
		}
	}
	return x, append(slot, held)
}

// column is one of an array [B,N]: [B].
func column(a *Node, i int) *Node { return Reshape(Slice(a, AxisRange(), AxisElem(i)), -1) }

// constraint is c of member m at its value, and its derivative by the value.
func (u *opposing) constraint(held, value *Node, m int) (c, slope *Node) {
	level, distance := column(held, u.members+m), Sqrt(MaxScalar(value, 1e-14))
	return AddScalar(Div(distance, level), -1), Inverse(MulScalar(Mul(level, distance), 2))
}

// raise updates the multipliers of the images that are due, by what was seen at them.
func (u *opposing) raise(held, seen, due *Node) *Node {
	var next []*Node
	for m := range u.members {
		c, _ := u.constraint(held, column(seen, u.members+u.others+m), m)
		next = append(next, ClipScalar(Add(column(held, m), MulScalar(c, stiffness)), 0, mostMultiplier))
	}
	for m := range u.members {
		next = append(next, column(held, u.members+m))
	}
	return pick(due, Stack(next, 1), held)
}

// lagrangian is L [B] and its gradient [B,S,S,3].
func (u *opposing) lagrangian(held, seen *Node, gradients []*Node) (value, gradient *Node) {
	add := func(v, slope, g *Node) {
		g = Mul(g, each(slope))
		if value == nil {
			value, gradient = v, g
			return
		}
		value, gradient = Add(value, v), Add(gradient, g)
	}
	for i, g := range gradients {
		v := column(seen, u.members+u.others+i)
		if i < u.members {
			c, slope := u.constraint(held, v, i)
			force := MaxScalar(Add(column(held, i), MulScalar(c, stiffness)), 0)
			add(MulScalar(Square(force), 1/(2.0*stiffness)), Mul(force, slope), g)
			continue
		}
		part := Inverse(AddScalar(v, 1)) // D is 1 − part
		share := -1 / float64(u.others)
		add(MulScalar(OneMinus(part), share), MulScalar(Square(part), share), g)
	}
	return value, gradient
}

// step takes one step from what the models gave (Gradients.at), which it lets go of. It
// returns losses and values [B,2N] of all models: before the step, or of a Searcher at the
// images.
func (u *opposing) step(st *State, active []bool, coef Coefficients, due bool, seen []*tensors.Tensor) (flat []float32, err error) {
	err = exceptions.TryCatch[error](func() {
		in := append(u.donate(st), active, coef[:], []bool{due})
		for _, t := range seen {
			in = append(in, t)
		}
		out := u.g.Run(in...)
		st.Images, st.Slots = out[1], out[2:]
		flat = tensors.MustCopyFlatData[float32](out[0])
		out[0].MustFinalizeAll()
		for _, t := range seen {
			t.MustFinalizeAll()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("synth: a step of %s against other models: %w", u.Name, err)
	}
	return flat, nil
}
