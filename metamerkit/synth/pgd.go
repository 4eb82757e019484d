package synth

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize/english"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(pgd{}) }

// pgd is projected gradient descent as Feather et al. (2023) do it: steps of a length
// that is halved at equal intervals, against the gradient of each image.
type pgd struct{}

const normed = "step size × gradient / (L2 norm of each image's gradient + 1e-10)"

func (pgd) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "pgd", About: "projected gradient descent, the paper's",
		Defaults: metamer.Optimizer{StepSize: 1, Halvings: 8},
		Units: map[string]string{
			"stepSize": "L2 norm of a step for each image, in pixel values",
			"halvings": "equal intervals after each of which the step size is halved",
		},
		Schedules: []string{metamer.Switch, metamer.Average}, Shrinks: true,
		Caption: func(o metamer.Optimizer) []metamer.Setting { return []metamer.Setting{halvedCaption(o)} },
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("pgd: %s; the step size is %g, halved at %s", normed, o.StepSize, english.Plural(o.Halvings, "equal interval", ""))
		},
	}
}

func (pgd) State(metamer.Optimizer, shapes.Shape, int) []shapes.Shape { return nil }

func (pgd) Coefficients(o metamer.Optimizer, at Moment) Coefficients { return halved(o, at) }

func (pgd) Step(s Situation) (*Node, []*Node) { return s.walk(unit(s.Gradient)) }

// halved is the step size of the moment, halved after each of o.Halvings equal intervals.
func halved(o metamer.Optimizer, at Moment) Coefficients {
	interval := 0
	if o.Halvings > 0 {
		interval = at.Step * o.Halvings / at.Steps
	}
	return Coefficients{float32(o.StepSize * math.Pow(2, -float64(interval)))}
}

func halvedCaption(o metamer.Optimizer) metamer.Setting {
	return metamer.Setting{Name: "step size", Value: fmt.Sprintf("%g (L2 norm per image), halved at %d equal intervals", o.StepSize, o.Halvings)}
}
