package synth

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Limit says how near the activations of one member must come to those of the reference,
// which are given: the largest relative L2 distance.
type Limit func(reference []float32) float64

// against evaluates the members of a recipe and the models that it is against at every step
// (docs/against.md).
type against struct {
	r      metamer.Recipe
	cfg    Config
	limits []Limit
	models members // first the members, then the others
	update *opposing
}

// NewAgainst compiles the steps of a recipe with Against: for its members, each with a limit,
// and the models that they are against, at their layers. It stops between two compilations
// when ctx ends.
func NewAgainst(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, members []TappedModel, limits []Limit, others []TappedModel) (Stepper, error) {
	if r.Schedule.Kind != metamer.Average {
		return nil, fmt.Errorf("synth: metamers against other models cannot follow the schedule %s", r.Schedule.Kind)
	}
	cfg.Values = true
	a := &against{r: r, cfg: cfg, limits: limits}
	var err error
	if a.models, err = newMembers(ctx, c, cfg, members); err != nil {
		return nil, err
	}
	// What drives activations apart must not move dead units: it is the difference itself.
	apart := cfg
	apart.Loss, apart.PlainReLU = r.Against.Loss, true
	second, err := newMembers(ctx, c, apart, others)
	if err != nil {
		return nil, err
	}
	a.models.units = append(a.models.units, second.units...)
	a.models.gradients = append(a.models.gradients, second.gradients...)
	k := Key{Kind: fmt.Sprintf("against %d", len(others)), Config: fmt.Sprint(cfg), Members: len(members)}
	a.update, err = compiled(ctx, c, k, func() (*opposing, error) { return newOpposing(c.Backend, cfg, len(members), len(others)) })
	return a, err
}

// Begin also sets the levels, which depend on the references.
func (a *against) Begin(_ int, refs, images []float32, slots [][]float32) (*State, error) {
	st, err := begin(a.cfg, 2*len(a.models.units), a.models.units, refs, images, slots, a.update.multipliers())
	if err != nil || slots != nil {
		return st, err
	}
	n := len(a.limits)
	held := make([]float32, a.cfg.Batch*2*n)
	for m, limit := range a.limits {
		flat, err := tensors.CopyFlatData[float32](st.targets[m])
		if err != nil {
			return nil, fmt.Errorf("synth: activations of %s: %w", a.r.Models[m].Name, err)
		}
		for b := range a.cfg.Batch {
			per := len(flat) / a.cfg.Batch
			held[b*2*n+n+m] = float32(limit(flat[b*per : (b+1)*per]))
		}
	}
	st.Slots[len(st.Slots)-1] = tensors.FromFlatDataAndDimensions(held, a.update.multipliers().Dimensions...)
	return st, nil
}

// Take takes one step.
func (a *against) Take(ctx context.Context, st *State, step int, active []bool) (int, []Losses, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	search, at := a.cfg.searcher(), st.Images
	if search != nil {
		at = st.Slots[search.Trial()]
	}
	var seen []*tensors.Tensor
	for i, g := range a.models.gradients {
		out, err := g.at(at, st.targets[i])
		if err != nil {
			return 0, nil, err
		}
		seen = append(seen, out...)
	}
	due := step > 0 && step%a.r.Against.Every == 0
	flat, err := a.update.step(st, active, coefficients(a.r, a.cfg.Size, step), due, seen)
	if err != nil {
		return 0, nil, err
	}
	n := len(a.models.units)
	var out []Losses
	for m := range n {
		row := make([]float32, a.cfg.Batch)
		for b := range row {
			row[b] = flat[b*2*n+m]
		}
		out = append(out, Losses{step, m, row})
	}
	for i := range a.r.Tapped() {
		if err := finite(slices.Clone(out[i:i+1]), active, a.r, a.r.StageOf(i)); err != nil {
			return 1, out, err
		}
	}
	return 1, out, nil
}
