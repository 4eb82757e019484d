package engine

import (
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// lbfgsUpTo is a side in pixels between those that fast was measured at: 32, where lbfgs
// has the lower losses, and 224, where fourier has.
const lbfgsUpTo = 96

// Fast replaces the optimiser fast in a recipe by the method that serves the members
// at their layers, and its number of evaluations by as many steps (docs/fast.md):
//
//   - fourier for images larger than lbfgsUpTo pixels a side, and where a transformer is
//     matched at all tokens of a layer behind its middle stage: there lbfgs stays near the
//     start in tiny steps;
//   - lbfgs everywhere else.
//
// One such member decides for the set. Other recipes are returned as they are.
func Fast(r metamer.Recipe, tapped []synth.TappedModel) (metamer.Recipe, error) {
	if r.Optimizer.Name != "fast" {
		return r, nil
	}
	if err := r.Validate(); err != nil { // such as a step size, which fast chooses
		return r, err
	}
	method := "lbfgs"
	if r.Images.Size > lbfgsUpTo {
		method = "fourier"
	}
	for _, s := range tapped {
		deep, err := deepTokens(s)
		if err != nil {
			return r, err
		}
		if deep {
			method = "fourier"
		}
	}
	return r.Fast(method), nil
}

// deepTokens says whether the layer is all tokens of a transformer behind its middle
// stage.
func deepTokens(s synth.TappedModel) (bool, error) {
	if s.Card.Kind != "transformer" {
		return false, nil
	}
	_, acts, err := s.Net.Reads(s.Card.Input, s.Layer)
	if err != nil {
		return false, fmt.Errorf("engine: model %s: %w", s.Card.Name, err)
	}
	layers, err := s.Net.Layers(s.Card.Input)
	if err != nil {
		return false, fmt.Errorf("engine: model %s: %w", s.Card.Name, err)
	}
	return acts[0].Rank() > 2 && slices.Index(layers, s.Layer) > slices.Index(layers, zoo.LayerOf(s.Card, "middle")), nil
}
