package synth

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// The last phase gives images of whole levels whose losses are far below those of the
// rounded images that it begins with, and goes on from a checkpoint with the same bits.
func TestRound(t *testing.T) {
	const size, batch, width = 8, 2, 5
	per := size * size * 3
	net := &zoo.Net{Weights: map[string]*tensors.Tensor{}, Forward: func(_ *model.Scope, x *Node) *Node {
		weights := make([]float32, per*width)
		for i := range weights {
			weights[i] = float32(math.Sin(float64(i*i%1009))) / 10
		}
		flat := Reshape(x, x.Shape().Dim(0), per)
		return stage.Mark(MatMul(flat, ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(weights, per, width))), "last")
	}}
	c := &card.Card{Name: "linear", Input: card.Input{Size: size, Std: [3]float64{1, 1, 1}}}
	refs, start := make([]float32, batch*per), make([]float32, batch*per)
	for i := range refs {
		refs[i], start[i] = float32(0.5+0.4*math.Sin(float64(i))), 0.5
	}
	interrupted := errors.New("interrupted")
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for _, optimizer := range []string{"lbfgs", "pgd"} { // average and switch
			if optimizer == "lbfgs" && b.Kind != backend.Go {
				continue // XLA compiles longer than it runs
			}
			run := func(round, stopAt int) *Cursor {
				r := metamer.Recipe{
					Models: []metamer.ModelRef{{Name: c.Name}}, Stage: "last", Steps: 20, Round: round, Optimizer: metamer.Optimizer{Name: optimizer},
				}.WithDefaults()
				cfg := Config{Batch: batch, Size: size, Loss: r.Loss, Optimizer: r.Optimizer, Loops: b.Loops()}
				stepper, err := NewStepper(t.Context(), Compiler{Backend: b.Compute}, r, cfg, []TappedModel{{Card: c, Net: net, Layer: "last"}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				l := &Loop{Recipe: r, Stepper: stepper}
				cursor := l.NewCursor(slices.Clone(start), batch)
				l.Each = func(c *Cursor, _ []float64) error {
					if c.Step == stopAt {
						return interrupted
					}
					return nil
				}
				err = l.Run(context.Background(), refs, cursor)
				if stopAt > 0 {
					if !errors.Is(err, interrupted) {
						t.Fatal(err)
					}
					l.Each, err = nil, nil
				}
				if err == nil {
					err = l.Run(context.Background(), refs, cursor)
				}
				if err != nil {
					t.Fatal(err)
				}
				return cursor
			}
			before, after := run(0, 0), run(40, 0)
			for i, v := range images.Rounded(after.Images) {
				if math.Abs(float64(v-after.Images[i])) > 1e-6 {
					t.Fatalf("%s: pixel %d is %v, expected a whole level such as %v", optimizer, i, after.Images[i], v)
				}
			}
			loss := func(c *Cursor, step int) []float32 {
				i := slices.Index(c.Trace.Step, step)
				if i < 0 {
					t.Fatalf("%s: no losses of step %d in %v", optimizer, step, c.Trace.Step)
				}
				return c.Trace.Loss[i]
			}
			if !slices.Equal(loss(before, 19), loss(after, 19)) {
				t.Errorf("%s: the phase changes the steps before it: %v and %v", optimizer, loss(before, 19), loss(after, 19))
			}
			for i, rounded := range loss(after, 20) {
				if last := loss(after, 59)[i]; !(last < rounded/2) {
					t.Errorf("%s: image %d: relative distance %v after the phase, %v when it was rounded", optimizer, i, last, rounded)
				}
			}
			if again := run(40, 33); !slices.Equal(again.Images, after.Images) {
				t.Errorf("%s: interrupted in the phase it gives other bits", optimizer)
			}
		}
	})
}
