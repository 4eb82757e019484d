package train

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// Check is one expectation of Sanity.
type Check struct {
	What, Found string
	OK          bool
}

// Sanity holds attacks on a model against what must be true of any attack that works
// (after Carlini et al. 2019, arXiv:1902.06705, §5): accuracy falls monotonically
// with epsilon; more steps are at least as strong as one; random noise of the same
// size is weaker; without a bound every image is lost. A model that fails hides its
// gradients, or the attack is broken.
func Sanity(ctx context.Context, e *Evaluator, w map[string]*tensors.Tensor, s *images.Set, t Threat, seed uint64) ([]Check, error) {
	measure := func(a Attack) (float64, error) {
		a.Seed = seed
		return e.Accuracy(ctx, w, s, a, nil)
	}
	sized := func(f float64) Threat { return Threat{t.Norm, t.Epsilon * f} }
	var values []float64
	sizes := []float64{0, .25, .5, 1, 2, 4}
	text := ""
	falling := true
	for i, f := range sizes {
		v, err := measure(Attack{Threat: sized(f), Steps: 20})
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if i > 0 {
			falling = falling && v <= values[i-1]+1e-9
			text += ", "
		}
		text += fmt.Sprintf("%v: %.1f %%", sized(f), 100*v)
	}
	falling = falling && values[len(values)-1] < values[0]
	clean, err := measure(Attack{})
	if err != nil {
		return nil, err
	}
	one, err := measure(Attack{Threat: t, Steps: 1, NoStart: true})
	if err != nil {
		return nil, err
	}
	noise, err := measure(Attack{Threat: t, Steps: 0})
	if err != nil {
		return nil, err
	}
	free := Threat{t.Norm, 1}
	if t.Norm == "l2" {
		free.Epsilon = 30
	}
	unbound, err := measure(Attack{Threat: free, Steps: 40})
	if err != nil {
		return nil, err
	}
	many := values[3]
	return []Check{
		{"no change, no loss", fmt.Sprintf("clean %.1f %%, epsilon 0 %.1f %%", 100*clean, 100*values[0]), clean == values[0]},
		{"accuracy falls with epsilon (PGD-20)", text, falling},
		{"many steps are stronger than one", fmt.Sprintf("FGSM %.1f %%, PGD-20 %.1f %%", 100*one, 100*many), many <= one && many < clean},
		{"random noise of the same size is weaker", fmt.Sprintf("noise %.1f %%, PGD-20 %.1f %%, clean %.1f %%", 100*noise, 100*many, 100*clean), noise > many},
		{"nothing is right without a bound", fmt.Sprintf("PGD-40 with %v: %.1f %%", free, 100*unbound), unbound == 0},
	}, nil
}
