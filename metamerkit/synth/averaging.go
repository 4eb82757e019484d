package synth

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// averaging evaluates all members at every step, at the images or at the trial of a
// Searcher, and follows the mean of their gradients: the schedule average.
type averaging struct {
	r      metamer.Recipe
	cfg    Config
	now    members
	early  members // at the stage of Recipe.WarmUp
	update *Update
}

// members are what a model set gives at its layers.
type members struct {
	units     []*Unit // which read the references
	gradients []*Gradients
}

func newMembers(ctx context.Context, c Compiler, cfg Config, tapped []TappedModel) (m members, err error) {
	for _, s := range tapped {
		u, err := compiled(ctx, c, key("target", s, cfg), func() (*Unit, error) { return newUnit(c.Backend, s, cfg, true) })
		if err != nil {
			return m, err
		}
		g, err := compiled(ctx, c, key("gradient", s, cfg), func() (*Gradients, error) { return NewGradients(c.Backend, s, cfg) })
		if err != nil {
			return m, err
		}
		m.units, m.gradients = append(m.units, u), append(m.gradients, g)
	}
	return m, nil
}

func newAveraging(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, now, early []TappedModel) (a *averaging, err error) {
	a = &averaging{r: r, cfg: cfg}
	if a.now, err = newMembers(ctx, c, cfg, now); err != nil {
		return nil, err
	}
	if a.early, err = newMembers(ctx, c, cfg, early); err != nil {
		return nil, err
	}
	k := Key{Kind: "update", Config: fmt.Sprint(cfg), Members: len(now)}
	a.update, err = compiled(ctx, c, k, func() (*Update, error) { return newUpdate(c.Backend, cfg, len(now)) })
	return a, err
}

func (a *averaging) Begin(_ int, refs, images []float32, slots [][]float32) (*State, error) {
	return begin(a.cfg, len(a.now.units), append(a.now.units[:len(a.now.units):len(a.now.units)], a.early.units...), refs, images, slots)
}

// Take takes one step.
func (a *averaging) Take(ctx context.Context, st *State, step int, active []bool) (int, []Losses, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	here, targets := a.now, st.targets[:len(a.now.units)]
	warm := a.r.WarmUpSteps()
	if step < warm {
		here, targets = a.early, st.targets[len(a.now.units):]
	} else if warm > 0 && step == warm {
		if err := a.again(st); err != nil {
			return 0, nil, err
		}
	}
	losses, err := a.step(here, targets, st, active, coefficients(a.r, a.cfg.Size, step))
	if err != nil {
		return 0, nil, err
	}
	var out []Losses
	for m, row := range losses {
		out = append(out, Losses{step, m, row})
	}
	if step < warm { // losses at another stage are none of the recipe's
		return 1, nil, finite(out, active, a.r, a.r.WarmUp.Stage)
	}
	return 1, out, finite(out, active, a.r, a.r.Stage)
}

// step returns the members' losses [M][B] at the images: those before the step, or of a
// Searcher at the best images so far, which st then holds.
func (a *averaging) step(here members, targets []*tensors.Tensor, st *State, active []bool, coef Coefficients) (losses [][]float32, err error) {
	search, at := a.cfg.searcher(), st.Images
	if search != nil {
		at = st.Slots[search.Trial()]
	}
	var seen []*tensors.Tensor
	for i, g := range here.gradients {
		if search != nil {
			out, err := g.at(at, targets[i])
			if err != nil {
				return nil, err
			}
			seen = append(seen, out...)
			continue
		}
		loss, grad, err := g.At(at, targets[i])
		if err != nil {
			return nil, err
		}
		losses, seen = append(losses, loss), append(seen, grad)
	}
	if err := a.update.step(st, active, coef, seen); err != nil || search == nil {
		return losses, err
	}
	flat, err := tensors.CopyFlatData[float32](st.Slots[search.Losses()]) // [B,M]
	if err != nil {
		return nil, fmt.Errorf("synth: losses of a step of %s: %w", a.r.Optimizer.Name, err)
	}
	n := len(here.gradients)
	for m := range n {
		row := make([]float32, a.cfg.Batch)
		for b := range row {
			row[b] = flat[b*n+m]
		}
		losses = append(losses, row)
	}
	return losses, nil
}

// again has the state begin at its images: another objective is lowered from there. Where
// it is the same but for rounding, what a Searcher says stays.
func (a *averaging) again(st *State) error {
	images, err := tensors.CopyFlatData[float32](st.Images)
	if err != nil {
		return fmt.Errorf("synth: images between two stages: %w", err)
	}
	next := newState(a.cfg, len(a.now.units), images)
	if s := a.cfg.searcher(); s != nil && a.r.WarmUp.Stage == a.r.Stage {
		for _, i := range s.Persistent() {
			next.Slots[i] = st.Slots[i]
		}
	}
	st.Images, st.Slots = next.Images, next.Slots
	return nil
}
