package main

import "testing"

// An evaluation is a gradient of one model, of those that metamers are to differ for too.
func TestEvaluationsAgainst(t *testing.T) {
	for _, optimizer := range []string{"", "lbfgs", "pgd", "adam"} {
		flags := recipeFlags{Batch: "16", Optimizer: optimizer, Evaluations: 120}
		r, err := flags.recipe([]string{"a", "b"}, "late", againstFlags{Against: []string{"c", "d"}})
		if err != nil {
			t.Fatal(err)
		}
		if r = r.WithDefaults(); r.Choices() != nil {
			r = r.Chosen(r.Choices()[0])
		}
		if got := r.Evaluations(r.AllSteps()); r.Steps != 30 || got != 120 {
			t.Errorf("optimizer %q: %d steps with %d evaluations, expected 30 with 120", optimizer, r.Steps, got)
		}
	}
}
