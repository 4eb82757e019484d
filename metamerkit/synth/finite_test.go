package synth

import (
	"context"
	"errors"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Every solver ends with the model, stage, image and step where a loss or a gradient is
// not finite: that of √x at a black pixel is not, though the loss is.
func TestNotFinite(t *testing.T) {
	const size = 4
	per := size * size * 3
	grey := func(v float32) []float32 {
		out := make([]float32, 2*per)
		for i := range out {
			out[i] = v
		}
		return out
	}
	start := grey(0.5)
	start[per+7] = 0 // of image 1
	for what, f := range map[string]func(x *Node) *Node{"gradient": Sqrt, "loss": Log} {
		net := &zoo.Net{Weights: map[string]*tensors.Tensor{}, Forward: func(_ *model.Scope, x *Node) *Node { return stage.Mark(f(x), "last") }}
		c := &card.Card{Name: "root", Input: card.Input{Size: size, Std: [3]float64{1, 1, 1}}}
		backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
			for name, s := range solvers {
				if what == "loss" && name != "pgd" || b.Kind != backend.Go && name != "pgd" && name != "lbfgs" {
					continue // as for gradients; XLA compiles longer than it runs
				}
				for _, schedule := range s.Facts().Schedules {
					r := metamer.Recipe{
						Models: []metamer.ModelRef{{Name: c.Name}}, Stage: "last", Steps: 2,
						Optimizer: metamer.Optimizer{Name: name, Memory: min(s.Facts().Defaults.Memory, 2)}, Schedule: metamer.Schedule{Kind: schedule, Every: 1},
					}.WithDefaults()
					cfg := Config{Batch: 2, Size: size, Loss: r.Loss, Optimizer: r.Optimizer, Loops: b.Loops()}
					stepper, err := NewStepper(t.Context(), Compiler{Backend: b.Compute}, r, cfg, []TappedModel{{Card: c, Net: net, Layer: "last"}}, nil)
					if err != nil {
						t.Fatal(err)
					}
					l := &Loop{Recipe: r, Stepper: stepper}
					err = l.Run(context.Background(), grey(0.25), l.NewCursor(append([]float32{}, start...), 2))
					var bad *NonFiniteError
					if !errors.As(err, &bad) {
						t.Fatalf("%s, %s, %s: error %v, expected a NonFiniteError", what, name, schedule, err)
					}
					if bad.Model != "root" || bad.Stage != "last" || bad.Image != 1 || bad.Step != 0 || math.IsInf(bad.Loss, -1) != (what == "gradient") {
						t.Errorf("%s, %s, %s: %v", what, name, schedule, err)
					}
				}
			}
		})
	}
}
