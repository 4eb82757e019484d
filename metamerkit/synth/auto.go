package synth

import (
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// auto is the default optimiser: it chooses lbfgs or fourier when the models are open, by
// the size of the images and the members' layers. It takes no steps itself.
const auto = metamer.DefaultOptimizer

func init() {
	metamer.Register(metamer.Solver{
		Name: auto, About: "chooses lbfgs or fourier by image size and layer",
		Defaults: metamer.Optimizer{Metric: "1/f"},
		Units:    map[string]string{"metric": "weights of spatial frequencies"},
		Steps:    400, Choices: []string{"lbfgs", "fourier"}, Smooth: true, Shrinks: true, WarmsUp: true,
		Refuse: func(r metamer.Recipe) error {
			o := r.Optimizer
			if r.Schedule.Kind != "" || o.StepSize != 0 || o.Halvings != 0 || o.Momentum != 0 || o.Beta2 != 0 || o.Memory != 0 {
				return fmt.Errorf("the optimiser %s chooses schedule, step size and the like itself: give none (or name pgd, lbfgs or fourier)", auto)
			}
			return nil
		},
		Caption: func(o metamer.Optimizer) []metamer.Setting {
			return []metamer.Setting{{Name: "metric", Value: metamer.MetricText(o.Metric)}}
		},
		Sentence: func(metamer.Optimizer) string { return auto + ": lbfgs or fourier (docs/fast.md)" },
	})
}

// lbfgsUpTo is a side in pixels between those that were measured: 32, where lbfgs has the
// lower losses, and 224, where fourier has.
const lbfgsUpTo = 96

// Choose replaces an optimiser that chooses by the one that serves the members at their
// layers, and its number of evaluations by as many steps (docs/fast.md):
//
//   - fourier for images larger than lbfgsUpTo pixels a side, and where a transformer is
//     matched at all tokens of a layer behind its middle stage: there lbfgs stays near the
//     start in tiny steps;
//   - lbfgs everywhere else.
//
// One such member decides for the set. Other recipes are returned as they are.
func Choose(r metamer.Recipe, tapped []TappedModel) (metamer.Recipe, error) {
	if r.Choices() == nil {
		return r, nil
	}
	if err := r.Validate(); err != nil { // such as a step size, which is chosen too
		return r, err
	}
	name := "lbfgs"
	if r.Images.Size > lbfgsUpTo {
		name = "fourier"
	}
	for _, s := range tapped {
		deep, err := deepTokens(s)
		if err != nil {
			return r, err
		}
		if deep {
			name = "fourier"
		}
	}
	return r.Chosen(name), nil
}

// deepTokens says whether the layer is all tokens of a transformer behind its middle
// stage.
func deepTokens(s TappedModel) (bool, error) {
	if s.Card.Kind != "transformer" {
		return false, nil
	}
	_, acts, err := s.Net.Reads(s.Card.Input, s.Layer)
	if err != nil {
		return false, fmt.Errorf("synth: model %s: %w", s.Card.Name, err)
	}
	layers, err := s.Net.Layers(s.Card.Input)
	if err != nil {
		return false, fmt.Errorf("synth: model %s: %w", s.Card.Name, err)
	}
	return acts[0].Rank() > 2 && slices.Index(layers, s.Layer) > slices.Index(layers, zoo.LayerOf(s.Card, "middle")), nil
}
