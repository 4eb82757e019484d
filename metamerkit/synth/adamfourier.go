package synth

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(adamFourier{}) }

// adamFourier is Adam in a metric of spatial frequencies. The metric smooths the gradient
// before the running means, and the mean square is one number for each image: a step size
// for each pixel would undo the metric.
type adamFourier struct{}

func (adamFourier) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "adam-fourier", About: "Adam in a metric of spatial frequencies, with cosine decay",
		Defaults: metamer.Optimizer{StepSize: 0.03, Momentum: 0.9, Beta2: 0.99, Metric: "1/f"},
		Units: map[string]string{
			"stepSize": "root mean square of the first step, in pixel values",
			"momentum": adam{}.Facts().Units["momentum"],
			"beta2":    adam{}.Facts().Units["beta2"],
			"metric":   "weights of spatial frequencies",
		},
		Schedules: []string{metamer.Switch, metamer.Average}, Every: 1, Smooth: true, Shrinks: true,
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return append(adam{}.Facts().Caption(o), metamer.Setting{Name: "metric", Value: metamer.MetricText(o.Metric)})
		},
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("Adam with a learning rate of %g and cosine decay, in a metric of %s", o.StepSize, metamer.MetricText(o.Metric))
		},
	}
}

// State is the mean smoothed gradient and, for each image, the mean of its square.
func (adamFourier) State(_ metamer.Optimizer, images shapes.Shape, _ int) []shapes.Shape {
	return []shapes.Shape{images, shapes.Make(images.DType, images.Dimensions[0], 1, 1, 1)}
}

func (adamFourier) Coefficients(o metamer.Optimizer, at Moment) Coefficients {
	return adam{}.Coefficients(o, at)
}

func (adamFourier) Step(s Situation) (*Node, []*Node) {
	o := s.Optimizer
	g := smooth(s.Gradient, o.Metric)
	mean := Add(MulScalar(s.State[0], o.Momentum), MulScalar(g, 1-o.Momentum))
	square := Add(MulScalar(s.State[1], o.Beta2), MulScalar(ReduceAndKeep(Square(g), ReduceMean, 1, 2, 3), 1-o.Beta2))
	return s.walk(Div(Mul(mean, s.coefficient(1)), AddScalar(Sqrt(Mul(square, s.coefficient(2))), 1e-12)), mean, square)
}
