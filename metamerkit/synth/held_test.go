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
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// linear is a tapped model whose activations are a matrix [pixels,width] times the image.
func linear(name string, size, width int, at func(pixel, unit int) float64) TappedModel {
	pixels := size * size * 3
	weights := make([]float32, pixels*width)
	for i := range weights {
		weights[i] = float32(at(i/width, i%width))
	}
	net := &zoo.Net{Weights: map[string]*tensors.Tensor{}, Forward: func(_ *model.Scope, x *Node) *Node {
		flat := Reshape(x, x.Shape().Dim(0), pixels)
		return stage.Mark(MatMul(flat, ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(weights, pixels, width))), "last")
	}}
	return TappedModel{Card: &card.Card{Name: name, Input: card.Input{Size: size, Std: [3]float64{1, 1, 1}}}, Net: net, Layer: "last"}
}

// The member A sees the first half of the pixels, turned by an orthogonal matrix, so that its
// metamers differ in the other half at will, and in the first by its level times its norm.
// The other model weighs each pixel. Farthest for it within [0,1] are images whose pixels of
// the other half lie at the farther end, and which spend all of the level on the pixel of
// the first half that weighs most.
func TestAgainstLinear(t *testing.T) {
	const size, batch, level = 4, 2, 0.1
	const pixels, half = size * size * 3, size * size * 3 / 2
	weigh := func(pixel int) float64 {
		if pixel == 5 {
			return 3
		}
		return 0.5 + float64(pixel%7)/10
	}
	a := linear("a", size, half, func(pixel, unit int) float64 { // Householder's I − 2vvᵀ
		if pixel >= half {
			return 0
		}
		v := -2.0 / half
		if pixel == unit {
			v++
		}
		return v
	})
	other := linear("other", size, pixels, func(pixel, unit int) float64 {
		if pixel == unit {
			return weigh(pixel)
		}
		return 0
	})
	refs, start := make([]float32, batch*pixels), make([]float32, batch*pixels)
	want := make([]float64, batch) // relative L2 distances for the other model
	for b := range batch {
		seen, power, far := 0.0, 0.0, 0.0
		for i := range pixels {
			x := 0.5 + 0.1*math.Sin(float64(7*i+b))
			refs[b*pixels+i], start[b*pixels+i] = float32(x), float32(0.5+0.03*math.Sin(float64(i*i+b)))
			x = float64(refs[b*pixels+i])
			power += weigh(i) * weigh(i) * x * x
			if i < half {
				seen += x * x
			} else {
				d := weigh(i) * max(x, 1-x)
				far += d * d
			}
			if i >= half { // on the side from which the farther end is seen
				start[b*pixels+i] = float32(x - math.Copysign(0.02, x-0.5))
			}
		}
		want[b] = math.Sqrt((far + 9*level*level*seen) / power)
	}
	run := func(t *testing.T, b *backend.Backend, optimizer string, steps, stopAt int, refs, start []float32) *Cursor {
		r := metamer.Recipe{
			Models: []metamer.ModelRef{{Name: "a"}}, Stage: "last", Steps: steps, Optimizer: metamer.Optimizer{Name: optimizer, Metric: map[string]string{"lbfgs": "pixels", "fourier": "pixels"}[optimizer]},
			Against: &metamer.Against{Models: []metamer.ModelRef{{Name: "other"}}, Loss: "relative-l2", Level: level},
		}.WithDefaults()
		r.Images.Count = batch
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Batch: batch, Size: size, Loss: r.Loss, Optimizer: r.Optimizer, Loops: b.Loops()}
		stepper, err := NewHeld(t.Context(), Compiler{Backend: b.Compute}, r, cfg, []TappedModel{a}, []Limit{func([]float32) float64 { return level }}, []TappedModel{other})
		if err != nil {
			t.Fatal(err)
		}
		return runInterrupted(t, &Loop{Recipe: r, Stepper: stepper}, refs, start, stopAt)
	}
	distances := func(x []float32, b int) (member, other float64) {
		seen, all, of, to := 0.0, 0.0, 0.0, 0.0
		for i := range pixels {
			ref, d := float64(refs[b*pixels+i]), float64(x[b*pixels+i])-float64(refs[b*pixels+i])
			if i < half {
				seen, of = seen+d*d, of+ref*ref
			}
			all, to = all+math.Pow(weigh(i)*d, 2), to+math.Pow(weigh(i)*ref, 2)
		}
		return math.Sqrt(seen / of), math.Sqrt(all / to)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for optimizer, c := range map[string]struct {
			steps int
			near  float64
		}{"lbfgs": {400, 1e-4}, "adam": {600, 1e-3}, "fourier": {600, 2e-3}, "pgd": {600, 5e-3}} {
			if b.Kind != backend.Go && optimizer != "adam" {
				continue // XLA compiles longer than it runs
			}
			got := run(t, b, optimizer, c.steps, 0, refs, start)
			for i := range batch {
				member, far := distances(got.Images, i)
				t.Logf("%s: %.6f at the member, expected %g; %.6f at the other, expected %.6f", optimizer, member, level, far, want[i])
				if math.Abs(member-level) > c.near || math.Abs(far-want[i]) > c.near {
					t.Errorf("%s: %.6f at the member, expected %g; %.6f at the other, expected %.6f", optimizer, member, level, far, want[i])
				}
			}
			again := run(t, b, optimizer, c.steps, c.steps*3/5, refs, start) // while ρ grows
			if !slices.Equal(again.Images, got.Images) || !slices.EqualFunc(again.Slots, got.Slots, slices.Equal[[]float32]) {
				t.Errorf("%s: an interrupted run has other bits", optimizer)
			}
			mate := func(of []float32) []float32 { return append(slices.Clone(of[:pixels]), of[:pixels]...) }
			if other := run(t, b, optimizer, c.steps, 0, mate(refs), mate(start)); !slices.Equal(other.Images[:pixels], got.Images[:pixels]) {
				t.Errorf("%s: an image has other bits beside another", optimizer)
			}
		}
	})
}

// The member sees half of the pixels. Two variants of an image that are farthest apart within
// [0,1] lie at opposite ends of the other half, and at opposite sides of the level in the
// first. Batch-mates of other references change no bit, and neither does an interruption.
func TestVariantsLinear(t *testing.T) {
	const size, batch, level = 4, 4, 0.1
	const pixels, half = size * size * 3, size * size * 3 / 2
	a := linear("a", size, half, func(pixel, unit int) float64 {
		if pixel == unit {
			return 1
		}
		return 0
	})
	refs, start := make([]float32, batch*pixels), make([]float32, batch*pixels)
	want := make([]float64, 2) // of each pair
	for b := range batch {
		power := 0.0
		for i := range pixels {
			x := 0.5 + 0.1*math.Sin(float64(7*i+b/2))
			refs[b*pixels+i], start[b*pixels+i] = float32(x), float32(0.5+0.03*math.Sin(float64(i*i+b)))
			if i < half {
				power += x * x
			}
		}
		want[b/2] = math.Sqrt((half + 4*level*level*power) / pixels)
	}
	run := func(t *testing.T, b *backend.Backend, optimizer string, steps, stopAt int, refs, start []float32) *Cursor {
		r := metamer.Recipe{
			Models: []metamer.ModelRef{{Name: "a"}}, Stage: "last", Steps: steps, Optimizer: metamer.Optimizer{Name: optimizer, Metric: map[string]string{"lbfgs": "pixels", "fourier": "pixels"}[optimizer]},
			Variants: &metamer.Variants{Count: 2, Level: level},
		}.WithDefaults()
		r.Images.Count, r.Batch = batch, batch
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		stepper, err := NewHeld(t.Context(), Compiler{Backend: b.Compute}, r, Config{Batch: batch, Size: size, Loss: r.Loss, Optimizer: r.Optimizer, Loops: b.Loops()},
			[]TappedModel{a}, []Limit{func([]float32) float64 { return level }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return runInterrupted(t, &Loop{Recipe: r, Stepper: stepper}, refs, start, stopAt)
	}
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		for optimizer, near := range map[string]float64{"lbfgs": 1e-4, "adam": 2e-3, "fourier": 5e-3} {
			if b.Kind != backend.Go && optimizer != "adam" {
				continue // XLA compiles longer than it runs
			}
			const steps = 400
			got := run(t, b, optimizer, steps, 0, refs, start)
			for pair := range 2 {
				x, y := got.Images[2*pair*pixels:], got.Images[(2*pair+1)*pixels:]
				far := 0.0
				var seen [2]float64
				of := 0.0
				for i := range pixels {
					far += math.Pow(float64(x[i]-y[i]), 2) / pixels
					if ref := float64(refs[2*pair*pixels+i]); i < half {
						of += ref * ref
						seen[0] += math.Pow(float64(x[i])-ref, 2)
						seen[1] += math.Pow(float64(y[i])-ref, 2)
					}
				}
				t.Logf("%s: %.6f apart, expected %.6f", optimizer, math.Sqrt(far), want[pair])
				if math.Abs(math.Sqrt(far)-want[pair]) > near {
					t.Errorf("%s: %.6f apart, expected %.6f", optimizer, math.Sqrt(far), want[pair])
				}
				for _, d := range seen {
					if d = math.Sqrt(d / of); math.Abs(d-level) > 20*near {
						t.Errorf("%s: %.6f at the member, expected %g", optimizer, d, level)
					}
				}
			}
			again := run(t, b, optimizer, steps, 35, refs, start)
			if !slices.Equal(again.Images, got.Images) || !slices.EqualFunc(again.Slots, got.Slots, slices.Equal[[]float32]) {
				t.Errorf("%s: an interrupted run has other bits", optimizer)
			}
			mate := func(of []float32) []float32 { return append(slices.Clone(of[:2*pixels]), of[:2*pixels]...) }
			if other := run(t, b, optimizer, steps, 0, mate(refs), mate(start)); !slices.Equal(other.Images[:2*pixels], got.Images[:2*pixels]) {
				t.Errorf("%s: variants have other bits beside another image's", optimizer)
			}
		}
	})
}

// runInterrupted runs a loop from start to its end. With stopAt > 0 it is interrupted at that
// step and resumed.
func runInterrupted(t *testing.T, l *Loop, refs, start []float32, stopAt int) *Cursor {
	t.Helper()
	cursor := l.NewCursor(slices.Clone(start), l.Recipe.Images.Count)
	interrupted := errors.New("interrupted")
	l.Each = func(c *Cursor, _ []float64) error {
		if c.Step == stopAt {
			return interrupted
		}
		return nil
	}
	err := l.Run(context.Background(), refs, cursor)
	if stopAt > 0 {
		if !errors.Is(err, interrupted) {
			t.Fatal(err)
		}
		l.Each = nil
		err = l.Run(context.Background(), refs, cursor)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}
