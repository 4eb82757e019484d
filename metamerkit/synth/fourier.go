package synth

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(fourier{}) }

// fourier takes steps against a running mean of normed gradients in a metric of spatial
// frequencies. A step is no longer than its step size, which falls to zero on half a
// cosine, and short where gradients turn to and fro.
type fourier struct{}

func (fourier) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "fourier", About: "gradient descent in a metric of spatial frequencies",
		Defaults: metamer.Optimizer{StepSize: 2, Momentum: 0.9, Metric: "1/f"},
		Units: map[string]string{
			"stepSize": "largest L2 norm of the first step for each image of 32², in pixel values; it grows with the side",
			"momentum": "decay of the mean gradient",
			"metric":   "weights of spatial frequencies",
		},
		Schedules: []string{metamer.Switch, metamer.Average}, Every: 1, Smooth: true, Shrinks: true,
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return []metamer.Setting{
				{Name: "step size", Value: fmt.Sprintf("%g × side/32 (L2 norm per image), cosine decay", o.StepSize)},
				{Name: "momentum", Value: fmt.Sprint(o.Momentum)},
				{Name: "metric", Value: metamer.MetricText(o.Metric)},
			}
		},
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("fourier: steps of %g × side/32 with momentum %g and cosine decay, in a metric of %s", o.StepSize, o.Momentum, metamer.MetricText(o.Metric))
		},
	}
}

func (fourier) State(_ metamer.Optimizer, images shapes.Shape, _ int) []shapes.Shape {
	return []shapes.Shape{images}
}

func (fourier) Coefficients(o metamer.Optimizer, at Moment) Coefficients {
	return Coefficients{float32(o.StepSize * at.side() * at.cosine())}
}

func (fourier) Step(s Situation) (*Node, []*Node) {
	o := s.Optimizer
	mean := Add(MulScalar(s.State[0], o.Momentum), MulScalar(unit(smooth(s.Gradient, o.Metric)), 1-o.Momentum))
	return s.walk(mean, mean)
}
