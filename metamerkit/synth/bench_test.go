package synth

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// BenchmarkStep times one pgd step of resnet20 for a batch of 8, in loops of many
// steps and one by one.
func BenchmarkStep(b *testing.B) {
	for _, loops := range []bool{true, false} {
		b.Run(fmt.Sprintf("loops=%v", loops), func(b *testing.B) {
			be := backendtest.Open(b, backend.XLA)
			s := tappedModel(b, "resnet20", "late")
			u := pgdUnit(b, be, s, 8, 32, loops)
			steps := stepper(b, u, 10)
			b.ResetTimer()
			for b.Loop() {
				steps()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/10, "s/step")
		})
	}
}

// pgdUnit compiles the unit of a tapped model for the paper's optimiser and loss.
func pgdUnit(b *testing.B, be *backend.Backend, s TappedModel, batch, size int, loops bool) *Unit {
	b.Helper()
	opt := metamer.Optimizer{Name: "pgd", StepSize: 1, Halvings: 8}
	u, err := newUnit(be.Compute, s, Config{Batch: batch, Size: size, Loss: "relative-l2", Optimizer: opt, Loops: loops}, false)
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// stepper returns what takes n steps of a unit, from one ramp of pixels towards another.
func stepper(b *testing.B, u *Unit, n int) func() {
	batch, size := u.cfg.Batch, u.cfg.Size
	pix := make([]float32, batch*size*size*3)
	ramp := func(period int) {
		for i := range pix {
			pix[i] = float32(i%period) / float32(period)
		}
	}
	ramp(97)
	target, err := u.Target(tensors.FromFlatDataAndDimensions(pix, batch, size, size, 3))
	if err != nil {
		b.Fatal(err)
	}
	ramp(61)
	st := newState(u.cfg, 1, pix)
	active := slices.Repeat([]bool{true}, batch)
	coefs := make([]Coefficients, n)
	for i := range coefs {
		coefs[i] = coefficients(metamer.Recipe{Optimizer: u.cfg.Optimizer, Steps: 1000}, size, i)
	}
	return func() {
		if _, err := u.Steps(context.Background(), st, active, coefs, target); err != nil {
			b.Fatal(err)
		}
	}
}
