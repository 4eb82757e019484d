package synth

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Solver is an optimiser. Each is one file of this package: what recipes, flags and
// captions know of it (Facts), what it carries from step to step, and its step as a
// graph. Its init function registers it.
type Solver interface {
	Facts() metamer.Solver
	// State returns the shapes of the arrays that it carries from step to step, for images
	// of a shape [B,S,S,3] and a number of members.
	State(o metamer.Optimizer, images shapes.Shape, members int) []shapes.Shape
	// Coefficients returns what a step needs to know of time. They are computed on the
	// host, so that one executable serves every schedule of step sizes.
	Coefficients(o metamer.Optimizer, at Moment) Coefficients
	// Step returns the next images and state. An image that is not active keeps its pixels,
	// and so does one whose gradient is not finite; no image depends on its batch-mates.
	Step(s Situation) (images *Node, state []*Node)
}

// Searcher is a solver that evaluates other images than the best so far, and knows the
// losses of these. It follows the schedule average only.
type Searcher interface {
	Solver
	// Trial is the index in State of the images that are evaluated next, Losses that of the
	// members' losses [B,M] at the images.
	Trial() int
	Losses() int
	// Persistent are the indices in State of values that remain valid when the objective
	// changes by rounding alone.
	Persistent() []int
}

// Moment is a step in a run.
type Moment struct {
	Step, Steps int // the step's number, from 0, and that of all
	Size        int // pixels a side
}

// Coefficients are the numbers that a step takes from the host; a solver says which.
type Coefficients [numCoefficients]float32

const numCoefficients = 3

// Situation is what a step knows, as nodes of a graph.
type Situation struct {
	Optimizer    metamer.Optimizer
	Images       *Node   // [B,S,S,3]
	State        []*Node // as Solver.State
	Active       *Node   // [B], which images still move
	Coefficients *Node   // [3]
	Gradient     *Node   // [B,S,S,3]; of a Searcher at its trial. With the schedule average, the mean over members
	// For a Searcher: the mean objective [B] and the members' losses [B,M] at its trial.
	Value, Losses *Node
}

var solvers = map[string]Solver{}

// register adds a solver to the program.
func register(s Solver) {
	f := s.Facts()
	metamer.Register(f)
	solvers[f.Name] = s
}

// solver returns the solver of a name. It panics if there is none: Recipe.Validate knows
// the names.
func solver(name string) Solver {
	s, ok := solvers[name]
	if !ok {
		panic(fmt.Sprintf("synth: no optimiser is called %q", name))
	}
	return s
}

// coefficients are those of step i of a recipe.
func coefficients(r metamer.Recipe, size, i int) Coefficients {
	return solver(r.Optimizer.Name).Coefficients(r.Optimizer, Moment{Step: i, Steps: r.Steps, Size: size})
}

// coefficient is coefficient i in the rank of images.
func (s Situation) coefficient(i int) *Node {
	return Reshape(Slice(s.Coefficients, AxisRange(i, i+1)), 1, 1, 1, 1)
}

// walk moves the images against move, coefficient 0 times, and clamps them to [0,1].
// State becomes next.
func (s Situation) walk(move *Node, next ...*Node) (*Node, []*Node) {
	x := s.Images
	y := ClipScalar(Sub(x, Mul(move, s.coefficient(0))), 0, 1)
	// An image whose gradient is not finite keeps its pixels; its marked loss ends the run.
	finite := LogicalAll(IsFinite(s.Gradient), 1, 2, 3)
	each := Reshape(LogicalAnd(s.Active, finite), -1, 1, 1, 1)
	moves := BroadcastToDims(each, x.Shape().Dimensions...)
	for i := range next {
		cond := moves
		if !next[i].Shape().Equal(x.Shape()) { // a number for each image
			cond = BroadcastToDims(each, next[i].Shape().Dimensions...)
		}
		next[i] = Where(cond, next[i], s.State[i])
	}
	return Where(moves, y, x), next
}

// unit scales each image of g to an L2 norm of one: g / (‖g‖₂ + 1e-10).
func unit(g *Node) *Node {
	norm := Sqrt(ReduceAndKeep(Square(g), ReduceSum, 1, 2, 3))
	return Div(g, AddScalar(norm, 1e-10))
}

// cosine falls from one to zero over the steps of a run.
func (m Moment) cosine() float64 {
	return 0.5 * (1 + math.Cos(math.Pi*float64(m.Step)/float64(m.Steps)))
}

// side is the images' side in units of 32 pixels.
func (m Moment) side() float64 { return float64(m.Size) / 32 }
