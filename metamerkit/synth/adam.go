package synth

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(adam{}) }

// adam is Adam (Kingma and Ba 2015) with a learning rate that falls to zero on half a
// cosine.
type adam struct{}

func (adam) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "adam", About: "Adam with cosine decay",
		Defaults: metamer.Optimizer{StepSize: 0.01, Momentum: 0.9, Beta2: 0.999},
		Units: map[string]string{
			"stepSize": "learning rate, in pixel values a step",
			"momentum": "β₁, the decay of the mean gradient",
			"beta2":    "β₂, the decay of the mean square",
		},
		Schedules: []string{metamer.Switch, metamer.Average}, Shrinks: true,
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return []metamer.Setting{
				{Name: "learning rate", Value: fmt.Sprintf("%g, cosine decay", o.StepSize)},
				{Name: "β₁, β₂", Value: fmt.Sprintf("%g, %g", o.Momentum, o.Beta2)},
			}
		},
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("Adam with a learning rate of %g and cosine decay", o.StepSize)
		},
	}
}

// State is the mean gradient and the mean square.
func (adam) State(_ metamer.Optimizer, images shapes.Shape, _ int) []shapes.Shape {
	return []shapes.Shape{images, images}
}

// Coefficients are the learning rate and the corrections of both means' bias.
func (adam) Coefficients(o metamer.Optimizer, at Moment) Coefficients {
	t := float64(at.Step + 1)
	return Coefficients{
		float32(o.StepSize * at.cosine()),
		float32(1 / (1 - math.Pow(o.Momentum, t))), float32(1 / (1 - math.Pow(o.Beta2, t))),
	}
}

func (adam) Step(s Situation) (*Node, []*Node) {
	o := s.Optimizer
	mean := Add(MulScalar(s.State[0], o.Momentum), MulScalar(s.Gradient, 1-o.Momentum))
	square := Add(MulScalar(s.State[1], o.Beta2), MulScalar(Square(s.Gradient), 1-o.Beta2))
	return s.walk(Div(Mul(mean, s.coefficient(1)), AddScalar(Sqrt(Mul(square, s.coefficient(2))), 1e-8)), mean, square)
}
