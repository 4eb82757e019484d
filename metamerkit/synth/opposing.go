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

	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
)

// opposing is the compiled step of an optimiser that holds the distances of some models below
// levels and drives other differences up: those of other models, or those of the variants of
// an image from each other. For each image it lowers the augmented Lagrangian of Hestenes
// (1969), Powell (1969) and Rockafellar (1973),
//
//	L = −mean_G D_G + Σ_F max(0, λ_F + ρ c_F)² / 2ρ,  c_F = d_F/ε_F − 1
//
// with the relative L2 distance d_F of a member F, its level ε_F and the difference D_G of a
// model G, which lies in [0,1]: half of its objective v_G where that is 1 − a similarity, and
// v_G/(1+v_G) of other objectives. c is 0 at the level and −1 at equality, so that the same
// numbers ρ (paceAt) serve all models. For variants D_G is the logarithm of the root mean square
// of the difference from the pixels of another variant G, or half of that of (1 − SSIM)/2: it
// has no scale that would have to be chosen, is at most 0, and curves so that quasi-Newton steps
// are about as long as the variants are apart; levels are eased (paceAt). When it is due, λ_F
// becomes max(0, λ_F + ρ c_F). It knows no model.
type opposing struct {
	reader
	driven
	members int
	g       *Graph
}

// driven describes the differences that an opposing drives up.
type driven struct {
	others   int
	bounded  bool   // the differences at the others are at most 2
	variants int    // images of a batch in a row that drive each other apart; 1: none does
	metric   string // what the variants differ by, of metamer.VariantMetrics
}

// pace holds the numbers of paceAt, for each image [B].
type pace struct{ ease, stiffness *Node }

// mostMultiplier bounds λ while an image is far from its levels. Where the largest D is a
// concave function of the levels, none is above 1.
const mostMultiplier = 10

// multipliers is the shape of the array behind the optimiser's: for each image the
// multipliers of the members, then their levels.
func (u *opposing) multipliers() shapes.Shape {
	return shapes.Make(dtypes.Float32, u.cfg.Batch, 2*u.members)
}

// more are the shapes of the arrays behind the optimiser's: multipliers and, where variants
// drive each other apart, the images that a Searcher is driven from. These stay between two
// updates, so that each image searches along a fixed objective.
func (u *opposing) more() []shapes.Shape {
	if u.variants > 1 && u.cfg.searcher() != nil {
		return []shapes.Shape{u.multipliers(), u.imageShape()}
	}
	return []shapes.Shape{u.multipliers()}
}

// shapes are those of the optimiser's arrays and of more. A Searcher keeps the losses of all
// models and then their values.
func (u *opposing) shapes() []shapes.Shape {
	return append(u.slotShapes(2*(u.members+u.others)), u.more()...)
}

func newOpposing(b compute.Backend, cfg Config, members int, d driven) (*opposing, error) {
	u := &opposing{reader: reader{Name: cfg.Optimizer.Name, cfg: cfg, backend: b}, members: members, driven: d}
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(b, cfg.Optimizer.Name+" step held")
		s := Situation{Optimizer: cfg.Optimizer, Images: Parameter(g, "images", u.imageShape())}
		for i, shape := range u.shapes() {
			s.State = append(s.State, Parameter(g, fmt.Sprintf("slot%d", i), shape))
		}
		s.Active = Parameter(g, "active", shapes.Make(dtypes.Bool, cfg.Batch))
		s.Coefficients = Parameter(g, "coef", shapes.Make(dtypes.Float32, numCoefficients))
		due := LogicalAnd(s.Active, BroadcastToDims(Parameter(g, "due", shapes.Make(dtypes.Bool, 1)), cfg.Batch))
		perImage := shapes.Make(dtypes.Float32, cfg.Batch)
		numbers := Parameter(g, "pace", shapes.Make(dtypes.Float32, numPace))
		number := func(i int) *Node { return BroadcastToDims(Slice(numbers, AxisElem(i)), cfg.Batch) }
		at := pace{ease: number(paceEase), stiffness: number(paceStiffness)}
		var losses, values, gradients []*Node
		for i := range members + d.others {
			losses = append(losses, Parameter(g, fmt.Sprintf("loss%d", i), perImage))
			values = append(values, Parameter(g, fmt.Sprintf("value%d", i), perImage))
			gradients = append(gradients, Parameter(g, fmt.Sprintf("gradient%d", i), u.imageShape()))
		}
		seen := Stack(append(losses, values...), 1)
		x, slot := u.draw(s, due, at, seen, gradients)
		if search := cfg.searcher(); search != nil {
			seen = slot[search.Losses()]
		}
		compile(g, append([]*Node{seen, x}, slot...)...)
		u.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("synth: compiling the step of %s with the match held: %w", cfg.Optimizer.Name, err)
	}
	return u, nil
}

// draw is the step from what was seen of all models [B,2N], losses before values, and their
// gradients.
func (u *opposing) draw(s Situation, due *Node, at pace, seen *Node, gradients []*Node) (x *Node, slot []*Node) {
	behind := len(s.State) - len(u.more())
	held, others := s.State[behind], s.Images // others are the images that variants are driven from
	if behind+1 < len(s.State) {
		others = s.State[behind+1]
	}
	s.State = s.State[:behind]
	search := u.cfg.searcher()
	if search == nil {
		held = u.raise(held, at, seen, due)
		s.Value, s.Gradient = u.lagrangian(held, at, seen, gradients)
		_, s.Gradient = u.repelled(s.Images, others, s.Value, s.Gradient)
		s.Gradient = unit(s.Gradient)
		x, slot = solver(u.cfg.Optimizer.Name).Step(s)
		return x, append(slot, held)
	}
	s.Value, s.Gradient = u.lagrangian(held, at, seen, gradients)
	s.Value, s.Gradient = u.repelled(s.State[search.Trial()], others, s.Value, s.Gradient)
	s.Losses = seen
	x, slot = solver(u.cfg.Optimizer.Name).Step(s)
	next := u.raise(held, at, slot[search.Losses()], due)
	// After an update the objective is another: images are evaluated again before the next search.
	more := []*Node{next}
	if u.variants > 1 {
		more = append(more, pick(due, x, others))
	}
	for i := range slot {
		switch {
		case i == search.Trial():
			slot[i] = pick(due, x, slot[i])
		case i != search.Losses() && !slices.Contains(search.Persistent(), i):
			slot[i] = pick(due, ZerosLike(slot[i]), slot[i])
		}
	}
	return x, append(slot, more...)
}

// repelled adds to L [B] of images x and to its gradient the differences of variants from the
// others.
func (u *opposing) repelled(x, others, value, gradient *Node) (*Node, *Node) {
	d := x.Shape().Dimensions
	groups := Reshape(others, append([]int{d[0] / u.variants, u.variants}, d[1:]...)...)
	for k := 1; k < u.variants; k++ { // from the variant k places on
		turned := Concatenate([]*Node{Slice(groups, AxisRange(), AxisRange(k)), Slice(groups, AxisRange(), AxisRange(0, k))}, 1)
		other, share := StopGradient(Reshape(turned, d...)), 1/float64(u.variants-1)
		if u.metric == "ssim" {
			unlike := MulScalar(OneMinus(imgmetrics.SSIM(x, other)), 0.5)
			part := MulScalar(Log(MaxScalar(unlike, 1e-7)), share/2)
			value, gradient = Sub(value, part), Sub(gradient, Gradient(ReduceAllSum(part), x)[0])
			continue
		}
		apart := Sub(x, other)
		square := MaxScalar(ReduceMean(Square(apart), 1, 2, 3), 1e-14)
		value = Sub(value, MulScalar(Log(square), share/2))
		gradient = Sub(gradient, Mul(apart, each(MulScalar(Inverse(square), share/float64(d[1]*d[2]*d[3])))))
	}
	return value, gradient
}

// column is one of an array [B,N]: [B].
func column(a *Node, i int) *Node { return Reshape(Slice(a, AxisRange(), AxisElem(i)), -1) }

// constraint is c of member m at its value, and its derivative by the value.
func (u *opposing) constraint(held *Node, at pace, value *Node, m int) (c, slope *Node) {
	level, distance := column(held, u.members+m), Sqrt(MaxScalar(value, 1e-14))
	if u.variants > 1 {
		level = Pow(level, OneMinus(at.ease))
	}
	return AddScalar(Div(distance, level), -1), Inverse(MulScalar(Mul(level, distance), 2))
}

// raise updates the multipliers of the images that are due, by what was seen at them.
func (u *opposing) raise(held *Node, at pace, seen, due *Node) *Node {
	var next []*Node
	for m := range u.members {
		c, _ := u.constraint(held, at, column(seen, u.members+u.others+m), m)
		next = append(next, ClipScalar(Add(column(held, m), Mul(c, at.stiffness)), 0, mostMultiplier))
	}
	for m := range u.members {
		next = append(next, column(held, u.members+m))
	}
	return pick(due, Stack(next, 1), held)
}

// lagrangian is L [B] and its gradient [B,S,S,3].
func (u *opposing) lagrangian(held *Node, at pace, seen *Node, gradients []*Node) (value, gradient *Node) {
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
			c, slope := u.constraint(held, at, v, i)
			force := MaxScalar(Add(column(held, i), Mul(c, at.stiffness)), 0)
			add(Div(Square(force), MulScalar(at.stiffness, 2)), Mul(force, slope), g)
			continue
		}
		share := -1 / float64(u.others)
		if u.bounded {
			add(MulScalar(v, share/2), MulScalar(OnesLike(v), share/2), g)
			continue
		}
		part := Inverse(AddScalar(v, 1)) // D is v/(1+v) = 1 − part
		add(MulScalar(OneMinus(part), share), MulScalar(Square(part), share), g)
	}
	return value, gradient
}

// step takes one step from what the models gave (Gradients.at), which it lets go of. It
// returns losses and values [B,2N] of all models: before the step, or of a Searcher at the
// images.
func (u *opposing) step(st *State, active []bool, coef Coefficients, due bool, pace []float32, seen []*tensors.Tensor) (flat []float32, err error) {
	err = exceptions.TryCatch[error](func() {
		in := append(u.donate(st), active, coef[:], []bool{due}, pace)
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
		return nil, fmt.Errorf("synth: a step of %s with the match held: %w", u.Name, err)
	}
	return flat, nil
}
