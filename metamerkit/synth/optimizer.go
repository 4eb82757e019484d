package synth

import (
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// slotShapes are the shapes of the arrays that an optimiser carries from step to
// step.
func (r *reader) slotShapes() []shapes.Shape {
	if r.cfg.Optimizer.Name == "lbfgs" {
		return r.descentShapes()
	}
	n := map[string]int{"pgd": 0, "momentum": 1, "adam": 2, "fourier": 1}[r.cfg.Optimizer.Name]
	return slices.Repeat([]shapes.Shape{r.imageShape()}, n)
}

// numCoefficients is the length of a row of coefficients.
const numCoefficients = 3

// coefficients returns what the step numbered i of total needs to know of time:
// step size, and Adam's two bias corrections; for lbfgs the largest norm of a step,
// and that of one without history. They are computed on the host, so
// that one executable serves every schedule of step sizes.
func coefficients(o metamer.Optimizer, size, i, total int) [numCoefficients]float32 {
	side := float64(size) / 32
	cosine := 0.5 * (1 + math.Cos(math.Pi*float64(i)/float64(total)))
	switch o.Name {
	case "lbfgs":
		return [...]float32{float32(o.StepSize * side), float32(side), 0}
	case "fourier":
		return [...]float32{float32(o.StepSize * side * cosine), 0, 0}
	case "adam": // cosine decay to zero
		t := float64(i + 1)
		return [...]float32{
			float32(o.StepSize * cosine),
			float32(1 / (1 - math.Pow(o.Momentum, t))), float32(1 / (1 - math.Pow(o.Beta2, t))),
		}
	}
	// Halvings equal intervals, each with half the step size of the one before.
	interval := 0
	if o.Halvings > 0 {
		interval = i * o.Halvings / total
	}
	return [...]float32{float32(o.StepSize * math.Pow(2, -float64(interval))), 0, 0}
}

// unit scales each image of g to an L2 norm of one: g / (‖g‖₂ + 1e-10).
func unit(g *Node) *Node {
	norm := Sqrt(ReduceAndKeep(Square(g), ReduceSum, 1, 2, 3))
	return Div(g, AddScalar(norm, 1e-10))
}

// step returns the next images and slots from the gradient g. coef is a row of
// coefficients [3]; active [B] says which images still move.
func step(o metamer.Optimizer, x, g *Node, slot []*Node, coef, active *Node) (*Node, []*Node) {
	at := func(i int) *Node { return Reshape(Slice(coef, AxisRange(i, i+1)), 1, 1, 1, 1) }
	next := make([]*Node, len(slot))
	var move *Node
	switch o.Name {
	case "pgd":
		move = unit(g)
	case "momentum":
		next[0] = Add(MulScalar(slot[0], o.Momentum), unit(g))
		move = unit(next[0])
	case "fourier":
		next[0] = Add(MulScalar(slot[0], o.Momentum), MulScalar(unit(smooth(g, o.Metric)), 1-o.Momentum))
		move = next[0] // no longer than 1: where gradients turn to and fro it is short
	case "adam":
		next[0] = Add(MulScalar(slot[0], o.Momentum), MulScalar(g, 1-o.Momentum))
		next[1] = Add(MulScalar(slot[1], o.Beta2), MulScalar(Square(g), 1-o.Beta2))
		move = Div(Mul(next[0], at(1)), AddScalar(Sqrt(Mul(next[1], at(2))), 1e-8))
	default:
		panic("synth: unknown optimiser " + o.Name)
	}
	y := ClipScalar(Sub(x, Mul(move, at(0))), 0, 1)
	// An image whose gradient is not finite keeps its pixels; the trace shows it.
	finite := LogicalAll(IsFinite(g), 1, 2, 3)
	moves := BroadcastToDims(Reshape(LogicalAnd(active, finite), -1, 1, 1, 1), x.Shape().Dimensions...)
	for i := range next {
		next[i] = Where(moves, next[i], slot[i])
	}
	return Where(moves, y, x), next
}
