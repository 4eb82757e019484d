package synth

import (
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func init() { register(momentum{}) }

// momentum is pgd with momentum (Polyak 1964): its steps have the direction of a sum of
// normed gradients, in which those of earlier steps fade.
type momentum struct{}

func (momentum) Facts() metamer.Solver {
	return metamer.Solver{
		Name: "momentum", About: "pgd with momentum",
		Defaults: metamer.Optimizer{StepSize: 1, Halvings: 8, Momentum: 0.9},
		Units: map[string]string{
			"stepSize": pgd{}.Facts().Units["stepSize"],
			"halvings": pgd{}.Facts().Units["halvings"],
			"momentum": "weight of the sum of earlier gradients",
		},
		Schedules: []string{metamer.Switch, metamer.Average}, Shrinks: true,
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return []metamer.Setting{halvedCaption(o), {Name: "momentum", Value: fmt.Sprint(o.Momentum)}}
		},
		Sentence: func(o metamer.Optimizer) string {
			return fmt.Sprintf("pgd with momentum %g: %s; the step size is %g, halved at %s", o.Momentum, normed, o.StepSize, english.Plural(o.Halvings, "equal interval", ""))
		},
	}
}

func (momentum) State(_ metamer.Optimizer, images shapes.Shape, _ int) []shapes.Shape {
	return []shapes.Shape{images}
}

func (momentum) Coefficients(o metamer.Optimizer, at Moment) Coefficients { return halved(o, at) }

func (momentum) Step(s Situation) (*Node, []*Node) {
	sum := Add(MulScalar(s.State[0], s.Optimizer.Momentum), unit(s.Gradient))
	return s.walk(unit(sum), sum)
}
