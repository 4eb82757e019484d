package synth

import (
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(lbfgs{}) }

// lbfgs is a projected L-BFGS in a metric of spatial frequencies: see Step.
type lbfgs struct{}

func (lbfgs) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "lbfgs", About: "projected L-BFGS in a metric of spatial frequencies",
		Defaults: metamer.Optimizer{StepSize: 5, Metric: "1/f", Memory: 10},
		Units: map[string]string{
			"stepSize": "largest L2 norm of a step for each image of 32², in pixel values; it grows with the side",
			"metric":   "weights of spatial frequencies",
			"memory":   "pairs of steps and changes of gradient kept for each image",
		},
		Schedules: []string{metamer.Average}, Smooth: true, WarmsUp: true,
		Arrays: func(o metamer.Optimizer) int { return 4*o.Memory + 10 }, // its history and what a step has of it at hand
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return []metamer.Setting{
				{Name: "largest step", Value: fmt.Sprintf("%g × side/32 (L2 norm per image), halved until the objective falls", o.StepSize)},
				{Name: "memory", Value: english.Plural(o.Memory, "pair", "")},
				{Name: "metric", Value: metamer.MetricText(o.Metric)},
			}
		},
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("lbfgs with a memory of %s, in a metric of %s", english.Plural(o.Memory, "pair", ""), metamer.MetricText(o.Metric))
		},
	}
}

// The arrays of State. The images are the best so far; what is evaluated next is the
// trial.
const (
	slotTrial    = iota // [B,S,S,3]
	slotGradient        // [B,S,S,3], at the images
	slotAlong           // [B,S,S,3], the direction under search
	slotMoves           // [K,B,S,S,3], the latest K differences of images, newest first
	slotTurns           // [K,B,S,S,3], of gradients, likewise
	slotLine            // [B,4], see the columns below
	slotLosses          // [B,M], each member's inversion loss at the images
)

// The columns of slotLine.
const (
	lineValue    = iota // the objective at the images
	lineShare           // of the direction that the trial goes
	lineRejected        // trials rejected in a row
	lineBegun           // 1 once the start is evaluated
	numLine
)

const (
	sufficient   = 1e-4 // share of the predicted decrease that a trial must reach (Armijo)
	curved       = 1e-8 // least cosine of a move and its change of gradient that is learnt from
	forgetAfter  = 8    // rejections in a row after which the history is dropped
	underflowing = 1e-30
)

func (lbfgs) State(o metamer.Optimizer, images shapes.Shape, members int) []shapes.Shape {
	b := images.Dimensions[0]
	history := shapes.Make(dtypes.Float32, append([]int{o.Memory}, images.Dimensions...)...)
	return []shapes.Shape{images, images, images, history, history, shapes.Make(dtypes.Float32, b, numLine), shapes.Make(dtypes.Float32, b, members)}
}

func (lbfgs) Trial() int        { return slotTrial }
func (lbfgs) Losses() int       { return slotLosses }
func (lbfgs) Persistent() []int { return []int{slotMoves, slotTurns} }

// Coefficients are the largest norm of a step, and that of a step without history.
func (lbfgs) Coefficients(o metamer.Optimizer, at Moment) Coefficients {
	return Coefficients{float32(o.StepSize * at.side()), float32(at.side())}
}

// each gives a number an image [B] the rank of images.
func each(v *Node) *Node { return Reshape(v, -1, 1, 1, 1) }

// pick is Where with a condition an image [B], for arrays [B,…] or, behind, [K,B,…].
func pick(cond, yes, no *Node) *Node {
	dims := make([]int, yes.Rank())
	for i := range dims {
		dims[i] = 1
	}
	axis := 0
	if yes.Rank() == 5 {
		axis = 1
	}
	dims[axis] = cond.Shape().Dim(0)
	return Where(BroadcastToDims(Reshape(cond, dims...), yes.Shape().Dimensions...), yes, no)
}

// Step takes one step of a projected L-BFGS in [0,1] for each image apart, after its
// trial was evaluated.
//
// A trial that lowers the objective enough (Armijo 1966) becomes the image, and the
// pair of its move and the change of gradient joins the history; of any other, half
// the way is tried at the next evaluation. The direction is the two-loop recursion's
// (Nocedal 1980) in the subspace of pixels that are not held at 0 or 1 by their
// gradient (two-metric projection, Bertsekas 1982), from the metric as the initial
// inverse Hessian, scaled by the newest pair.
func (lbfgs) Step(s Situation) (*Node, []*Node) {
	o, x, slot, active, value, gradient, losses := s.Optimizer, s.Images, s.State, s.Active, s.Value, s.Gradient, s.Losses
	g := x.Graph()
	column := func(i int) *Node { return Reshape(Slice(slot[slotLine], AxisRange(), AxisElem(i)), -1) }
	most, first := Slice(s.Coefficients, AxisElem(0)), Slice(s.Coefficients, AxisElem(1))
	trial, along := slot[slotTrial], slot[slotAlong]
	share, rejected, begun := column(lineShare), column(lineRejected), GreaterThan(column(lineBegun), ScalarZero(g, dtypes.Float32))

	// Is the trial better?
	move, turn := Sub(trial, x), Sub(gradient, slot[slotGradient])
	promised := MinScalar(dot(slot[slotGradient], move), 0)
	better := LessOrEqual(value, Add(column(lineValue), MulScalar(promised, sufficient)))
	finite := LogicalAnd(IsFinite(value), LogicalAll(IsFinite(gradient), 1, 2, 3))
	accept := LogicalAnd(LogicalAnd(active, finite), LogicalOr(better, LogicalNot(begun)))
	reject := LogicalAnd(active, LogicalNot(accept))
	rejected = pick(accept, ZerosLike(rejected), pick(reject, AddScalar(rejected, 1), rejected))
	forget := LogicalAnd(reject, Equal(rejected, MulScalar(OnesLike(rejected), forgetAfter)))
	share = pick(LogicalOr(accept, forget), OnesLike(share), pick(reject, MulScalar(share, 0.5), share))

	x = pick(accept, trial, x)
	gradient = pick(accept, gradient, slot[slotGradient])
	learn := LogicalAnd(LogicalAnd(accept, begun), bends(move, turn))
	push := func(history, newest *Node) *Node {
		shifted := ExpandAxes(newest, 0)
		if o.Memory > 1 {
			shifted = Concatenate([]*Node{shifted, Slice(history, AxisRange(0, o.Memory-1))}, 0)
		}
		return pick(forget, ZerosLike(history), pick(learn, shifted, history))
	}
	moves, turns := push(slot[slotMoves], move), push(slot[slotTurns], turn)

	// Where to next?
	zero := ZerosLike(x)
	held := LogicalOr(
		LogicalAnd(LessOrEqual(x, zero), GreaterThan(gradient, zero)),
		LogicalAnd(GreaterOrEqual(x, OnesLike(x)), LessThan(gradient, zero)))
	free := func(v *Node) *Node { return Where(held, zero, v) }
	way := twoLoop(o, free, gradient, moves, turns, first)
	norm := Sqrt(dot(way, way))
	longest := BroadcastToShape(Reshape(most), norm.Shape())
	way = Mul(way, each(Div(longest, Max(norm, longest))))
	along = pick(LogicalOr(accept, forget), way, along)
	trial = pick(active, ClipScalar(Add(x, Mul(along, each(share))), 0, 1), trial)

	line := Stack([]*Node{pick(accept, value, column(lineValue)), share, rejected, ConvertDType(LogicalOr(begun, accept), dtypes.Float32)}, 1)
	// A start that is not finite has never been accepted: its marked loss shows it.
	losses = pick(LogicalOr(accept, LogicalAnd(active, LogicalNot(begun))), losses, slot[slotLosses])
	return x, []*Node{trial, gradient, along, moves, turns, line, losses}
}

// bends says for which images [B] the objective curves upwards from one end of a move
// to the other.
func bends(move, turn *Node) *Node {
	return GreaterThan(dot(move, turn), AddScalar(MulScalar(Mul(Sqrt(dot(move, move)), Sqrt(dot(turn, turn))), curved), underflowing))
}

// twoLoop is the quasi-Newton direction within the free pixels. Pairs that do not
// curve upwards there are passed over; without any it is the steepest in the metric,
// with the norm first.
func twoLoop(o metamer.Optimizer, free func(*Node) *Node, gradient, moves, turns, first *Node) *Node {
	type pair struct{ move, turn, rho, share *Node }
	pairs := make([]pair, o.Memory)
	down := free(gradient)
	q := down
	var some, newestMove, newestTurn *Node // of the newest pair that counts
	for i := range pairs {                 // newest first
		p := pair{move: free(Squeeze(Slice(moves, AxisElem(i)), 0)), turn: free(Squeeze(Slice(turns, AxisElem(i)), 0))}
		counts, curvature := bends(p.move, p.turn), dot(p.move, p.turn)
		none := ZerosLike(curvature)
		p.rho = Where(counts, Inverse(Where(counts, curvature, OnesLike(curvature))), none)
		p.share = Mul(p.rho, dot(p.move, q))
		q = Sub(q, Mul(p.turn, each(p.share)))
		if pairs[i] = p; i == 0 {
			some, newestMove, newestTurn = counts, p.move, p.turn
			continue
		}
		newestMove, newestTurn = pick(some, newestMove, p.move), pick(some, newestTurn, p.turn)
		some = LogicalOr(some, counts)
	}
	steepest := free(smooth(q, o.Metric)) // q is the gradient where no pair counts
	scale := Div(dot(newestMove, newestTurn), MaxScalar(dot(newestTurn, free(smooth(newestTurn, o.Metric))), underflowing))
	r := Mul(steepest, each(scale))
	for i := len(pairs) - 1; i >= 0; i-- {
		p := pairs[i]
		r = Add(r, Mul(p.move, each(Sub(p.share, Mul(p.rho, dot(p.turn, r))))))
	}
	norm := Sqrt(dot(steepest, steepest))
	steepest = Mul(steepest, each(Div(BroadcastToShape(Reshape(first), norm.Shape()), MaxScalar(norm, underflowing))))
	// But for rounding the direction always descends. Where it does not and the steepest does not
	// lower the objective either, the history is dropped after forgetAfter trials.
	return Neg(pick(LogicalAnd(some, GreaterThan(dot(r, down), ZerosLike(norm))), r, steepest))
}
