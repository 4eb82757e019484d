package engine

import (
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// Fast replaces the optimiser fast in a recipe by the method that serves the members
// at their layers.
func Fast(r metamer.Recipe, subjects []synth.Subject) metamer.Recipe {
	if r.Optimizer.Name != "fast" {
		return r
	}
	r.Optimizer.Name = "lbfgs"
	r.Steps = max(1, r.Steps/len(subjects))
	return r.WithDefaults()
}
