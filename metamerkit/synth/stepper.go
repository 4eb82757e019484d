package synth

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Stepper is a solver made ready for a model set by a schedule: compiled, for one batch
// shape.
type Stepper interface {
	// Begin reads the references [B,S,S,3] and returns the state of images and of slots
	// that another state had before a step; nil slots are those of the beginning.
	Begin(step int, refs, images []float32, slots [][]float32) (*State, error)
	// Take takes steps of the active images from the one numbered step, as many as one
	// call does, at most up to the recipe's last. It returns how many it took and the
	// losses before each, nil where they are not the recipe's. With an error it returns
	// those that it took before.
	Take(ctx context.Context, st *State, step int, active []bool) (taken int, losses []Losses, err error)
}

// Losses are those of one member before a step.
type Losses struct {
	Step, Member int
	Of           []float32 // [B]
}

// Compiler compiles what steppers need.
type Compiler struct {
	Backend compute.Backend
	// Keep returns what was compiled before under a key, or compiles it; nil: nothing is
	// kept.
	Keep func(k Key, compile func() (any, error)) (any, error)
}

// Key names something compiled.
type Key struct {
	Kind    string
	Net     zoo.Key // of the model, zero for what knows none
	Layer   string  // likewise
	Config  string
	Members int // of an update
}

// compiled has c compile, unless it is kept. It ends with ctx before.
func compiled[T any](ctx context.Context, c Compiler, k Key, compile func() (T, error)) (v T, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	if c.Keep == nil {
		return compile()
	}
	a, err := c.Keep(k, func() (any, error) { return compile() })
	if err != nil {
		return v, err
	}
	return a.(T), nil
}

// key is that of something of a tapped model.
func key(kind string, s TappedModel, cfg Config) Key {
	return Key{Kind: kind, Net: s.Net.Key, Layer: s.Layer, Config: fmt.Sprint(cfg)}
}

// NewStepper compiles the steps of a recipe for its members at their layers, and for the
// members of early, at the layers of Recipe.WarmUp, if that is set. It stops between two
// compilations when ctx ends. The error names a solver that cannot follow the recipe's
// schedule, or a model that does not compile.
func NewStepper(ctx context.Context, c Compiler, r metamer.Recipe, cfg Config, members, early []TappedModel) (Stepper, error) {
	if r.Round > 0 {
		return newRounded(ctx, c, r, cfg, members, early)
	}
	if r.Schedule.Kind == metamer.Average {
		return newAveraging(ctx, c, r, cfg, members, early)
	}
	if cfg.searcher() != nil || r.WarmUp != nil {
		return nil, fmt.Errorf("synth: %s cannot follow the schedule %s", r.Optimizer.Name, r.Schedule.Kind)
	}
	return newSwitching(ctx, c, r, cfg, members)
}

// State is what passes from step to step: the images, the arrays of the optimiser, and
// what the members give for the references.
type State struct {
	Images  *tensors.Tensor   // [B,S,S,3]
	Slots   []*tensors.Tensor // shaped as Solver.State says
	targets []*tensors.Tensor
}

// newState returns the state that a run of so many members begins with, for images
// [B,S,S,3]. Its arrays are the optimiser's and then those of more.
func newState(cfg Config, members int, images []float32, more ...shapes.Shape) *State {
	r := reader{cfg: cfg}
	shape := r.imageShape()
	st := &State{Images: tensors.FromFlatDataAndDimensions(images, shape.Dimensions...)}
	for _, shape := range append(r.slotShapes(members), more...) {
		st.Slots = append(st.Slots, tensors.FromShape(shape))
	}
	if s := cfg.searcher(); s != nil { // the first trial is the start
		st.Slots[s.Trial()] = tensors.FromFlatDataAndDimensions(slices.Clone(images), shape.Dimensions...)
	}
	return st
}

// begin is Begin for members of which units read the references.
func begin(cfg Config, members int, units []*Unit, refs, images []float32, slots [][]float32, more ...shapes.Shape) (*State, error) {
	r := reader{cfg: cfg}
	st := newState(cfg, members, images, more...)
	for i, slot := range slots {
		st.Slots[i] = tensors.FromFlatDataAndDimensions(slot, st.Slots[i].Shape().Dimensions...)
	}
	ref := tensors.FromFlatDataAndDimensions(refs, r.imageShape().Dimensions...)
	for _, u := range units {
		t, err := u.Target(ref)
		if err != nil {
			return nil, err
		}
		st.targets = append(st.targets, t)
	}
	return st, nil
}
