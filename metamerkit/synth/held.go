package synth

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Limit says how near the activations of one member must come to those of the reference,
// which are given: the largest relative L2 distance.
type Limit func(reference []float32) float64

// held evaluates the members of a recipe, whose match is held at a level, and the models that
// it is against at every step (docs/against.md).
type held struct {
	r      metamer.Recipe
	cfg    Config
	limits []Limit
	models members // first the members, then the others
	update *opposing
}

// NewHeld compiles the steps of a recipe that holds the match at a level (Recipe.Held): for its
// members, each with a limit, and the models that it is against, at their layers. It stops
// between two compilations when ctx ends.
func NewHeld(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, members []TappedModel, limits []Limit, others []TappedModel) (Stepper, error) {
	if r.Schedule.Kind != metamer.Average {
		return nil, fmt.Errorf("synth: a match that is held at a level cannot follow the schedule %s", r.Schedule.Kind)
	}
	if _, every := r.Level(); every < 2 && cfg.searcher() != nil {
		return nil, fmt.Errorf("synth: %s cannot search while multipliers are updated at every step, expected every 2 or more", cfg.Optimizer.Name)
	}
	cfg.Values = true
	a := &held{r: r, cfg: cfg, limits: limits}
	var err error
	if a.models, err = newMembers(ctx, c, cfg, members); err != nil {
		return nil, err
	}
	if r.Against != nil {
		// What drives activations apart must not move dead units: it is the difference itself.
		apart := cfg
		apart.Loss, apart.PlainReLU = r.Against.Loss, true
		second, err := newMembers(ctx, c, apart, others)
		if err != nil {
			return nil, err
		}
		a.models.units = append(a.models.units, second.units...)
		a.models.gradients = append(a.models.gradients, second.gradients...)
	}
	d := driven{others: len(others), variants: 1}
	if r.Against != nil {
		d.bounded = similarities[r.Against.Loss]
	}
	if r.Variants.Repel() {
		d.variants, d.metric = r.Variants.Count, r.Variants.Metric
	}
	k := Key{Kind: fmt.Sprintf("held %+v", d), Config: fmt.Sprint(cfg), Members: len(members)}
	a.update, err = compiled(ctx, c, k, func() (*opposing, error) { return newOpposing(c.Backend, cfg, len(members), d) })
	return a, err
}

// Begin also sets the levels, which depend on the references.
func (a *held) Begin(_ int, refs, images []float32, slots [][]float32) (*State, error) {
	st, err := begin(a.cfg, 2*len(a.models.units), a.models.units, refs, images, slots, a.update.more()...)
	if err != nil || slots != nil {
		return st, err
	}
	n := len(a.limits)
	levels := make([]float32, a.cfg.Batch*2*n)
	for m, limit := range a.limits {
		flat, err := tensors.CopyFlatData[float32](st.targets[m])
		if err != nil {
			return nil, fmt.Errorf("synth: activations of %s: %w", a.r.Models[m].Name, err)
		}
		for b := range a.cfg.Batch {
			per := len(flat) / a.cfg.Batch
			levels[b*2*n+n+m] = float32(limit(flat[b*per : (b+1)*per]))
		}
	}
	at, more := len(st.Slots)-len(a.update.more()), a.update.more()
	st.Slots[at] = tensors.FromFlatDataAndDimensions(levels, more[0].Dimensions...)
	if len(more) > 1 { // all variants are at their starts
		st.Slots[at+1] = tensors.FromFlatDataAndDimensions(slices.Clone(images), more[1].Dimensions...)
	}
	return st, nil
}

// Take takes one step.
func (a *held) Take(ctx context.Context, st *State, step int, active []bool) (int, []Losses, error) {
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
	_, every := a.r.Level()
	due := step > 0 && step%every == 0
	flat, err := a.update.step(st, active, coefficients(a.r, a.cfg.Size, step), due, paceAt(a.r, step), seen)
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

// The numbers of a step that follow from its place in the run alone, see paceAt.
const (
	paceEase = iota
	paceStiffness
	numPace
)

// paceAt are the numbers of a step, the same from one update of the multipliers to the next.
// Against other models the stiffness ρ is 1 over the first half of the steps, so that the
// differences can grow, and rises to 10 over the third quarter, so that the levels are kept. For
// variants ρ is 10 and the levels are eased: they begin at 1 and fall to their values ε over the
// first half of the steps, as ε to the power of 1 − ease, while the variants move apart.
func paceAt(r metamer.Recipe, step int) []float32 {
	_, every := r.Level()
	taken := float64(max(step-1, 0)/every*every) / float64(r.Steps)
	pace := make([]float32, numPace)
	if r.Variants.Repel() {
		pace[paceEase], pace[paceStiffness] = float32(max(1-2*taken, 0)), 10
	} else {
		pace[paceStiffness] = float32(math.Pow(10, min(max(4*taken-2, 0), 1)))
	}
	return pace
}
