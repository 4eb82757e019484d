package synth

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// rounded takes the steps of a recipe and then Recipe.Round more on images of 8 bits.
type rounded struct {
	steps int     // of the recipe
	cfg   Config  // of the last phase
	body  Stepper // of the recipe's steps
	last  *averaging
}

func newRounded(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, now, early []TappedModel) (*rounded, error) {
	w := &rounded{steps: r.Steps, cfg: cfg}
	r.Round = 0
	var err error
	if w.body, err = NewStepper(ctx, c, r, cfg, now, early); err != nil {
		return nil, err
	}
	w.cfg.Optimizer = metamer.Optimizer{Name: rounding{}.Facts().Name}
	r.Optimizer, r.Schedule, r.WarmUp = w.cfg.Optimizer, metamer.Schedule{Kind: metamer.Average}, nil
	w.last, err = newAveraging(ctx, c, r, w.cfg, now, nil)
	return w, err
}

func (w *rounded) Begin(step int, refs, pixels []float32, slots [][]float32) (*State, error) {
	if step > w.steps {
		return w.last.Begin(step, refs, pixels, slots)
	}
	return w.body.Begin(step, refs, pixels, slots)
}

func (w *rounded) Take(ctx context.Context, st *State, step int, active []bool) (int, []Losses, error) {
	if step < w.steps {
		return w.body.Take(ctx, st, step, active)
	}
	if step == w.steps {
		pixels, err := tensors.CopyFlatData[float32](st.Images)
		if err != nil {
			return 0, nil, fmt.Errorf("synth: images before they are rounded: %w", err)
		}
		next := newState(w.cfg, len(w.last.now.units), images.Rounded(pixels))
		st.Images, st.Slots = next.Images, next.Slots
	}
	return w.last.Take(ctx, st, step, active)
}

func init() { solvers[rounding{}.Facts().Name] = rounding{} }

// rounding lowers the objective over images of whole 8-bit levels: each step moves the
// pixels with the largest gradients by one level against them, and takes the move if the
// objective falls. No recipe names it: it is the last phase of Recipe.Round.
type rounding struct{}

func (rounding) Facts() metamer.Solver { return metamer.Solver{Name: "rounding", Smooth: true} }

// The arrays of State.
const (
	roundTrial    = iota // [B,S,S,3]
	roundGradient        // [B,S,S,3], at the images
	roundLine            // [B,3]: the objective at the images; the share of the largest gradient from which pixels move; 1 once the images are evaluated
	roundLosses          // [B,M], at the images
)

const (
	firstShare = 0.25
	widen      = 0.8 // what a move that was taken makes of the share; one that was not halves its distance to 1
)

func (rounding) State(_ metamer.Optimizer, images shapes.Shape, members int) []shapes.Shape {
	b := images.Dimensions[0]
	return []shapes.Shape{images, images, shapes.Make(dtypes.Float32, b, 3), shapes.Make(dtypes.Float32, b, members)}
}

func (rounding) Trial() int        { return roundTrial }
func (rounding) Losses() int       { return roundLosses }
func (rounding) Persistent() []int { return nil }

func (rounding) Coefficients(metamer.Optimizer, Moment) Coefficients { return Coefficients{widen} }

func (rounding) Step(s Situation) (*Node, []*Node) {
	x, trial := s.Images, s.State[roundTrial]
	column := func(i int) *Node { return Reshape(Slice(s.State[roundLine], AxisRange(), AxisElem(i)), -1) }
	value, share, begun := column(0), column(1), GreaterThan(column(2), ZerosLike(column(2)))

	finite := LogicalAnd(IsFinite(s.Value), LogicalAll(IsFinite(s.Gradient), 1, 2, 3))
	lower := LogicalOr(LessThan(s.Value, value), LogicalNot(begun))
	accept := LogicalAnd(LogicalAnd(s.Active, finite), lower)
	reject := LogicalAnd(s.Active, LogicalNot(accept))
	x = pick(accept, trial, x)
	gradient := pick(accept, s.Gradient, s.State[roundGradient])
	value = pick(accept, s.Value, value)
	losses := pick(LogicalOr(accept, LogicalAnd(s.Active, LogicalNot(begun))), s.Losses, s.State[roundLosses])
	wider := Mul(share, BroadcastToShape(Slice(s.Coefficients, AxisElem(0)), share.Shape()))
	share = pick(accept, wider, pick(reject, MulScalar(AddScalar(share, 1), 0.5), share))
	share = pick(begun, share, MulScalar(OnesLike(share), firstShare))

	// Pixels at 0 or 1 that their gradient holds there do not move.
	held := LogicalOr(
		LogicalAnd(LessOrEqual(x, ZerosLike(x)), GreaterThan(gradient, ZerosLike(x))),
		LogicalAnd(GreaterOrEqual(x, OnesLike(x)), LessThan(gradient, ZerosLike(x))))
	free := Where(held, ZerosLike(x), gradient)
	largest := ReduceAndKeep(Abs(free), ReduceMax, 1, 2, 3)
	moves := GreaterOrEqual(Abs(free), BroadcastToShape(Mul(largest, each(share)), x.Shape()))
	level := Round(MulScalar(x, 255))
	level = Where(moves, Sub(level, Sign(free)), level)
	trial = pick(s.Active, MulScalar(ClipScalar(level, 0, 255), 1.0/255), trial)

	line := Stack([]*Node{value, share, ConvertDType(LogicalOr(begun, accept), dtypes.Float32)}, 1)
	return x, []*Node{trial, gradient, line, losses}
}
