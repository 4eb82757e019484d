package synth

import (
	"context"
	"fmt"
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
			s := subject(b, "resnet20", "late")
			opt := metamer.Optimizer{Name: "pgd", StepSize: 1, Halvings: 8}
			u, err := NewUnit(be.Compute, s, Config{Batch: 8, Size: 32, Loss: "relative-l2", Optimizer: opt, Loops: loops})
			if err != nil {
				b.Fatal(err)
			}
			pix := make([]float32, 8*32*32*3)
			for i := range pix {
				pix[i] = float32(i%97) / 97
			}
			target, err := u.Target(tensors.FromFlatDataAndDimensions(pix, 8, 32, 32, 3))
			if err != nil {
				b.Fatal(err)
			}
			for i := range pix {
				pix[i] = float32(i%61) / 61
			}
			st := u.NewState(pix)
			active := []bool{true, true, true, true, true, true, true, true}
			coefs := make([][numCoefficients]float32, 10)
			for i := range coefs {
				coefs[i] = coefficients(opt, 32, i, 1000)
			}
			b.ResetTimer()
			for b.Loop() {
				if _, err := u.Steps(context.Background(), st, active, coefs, target); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/10, "s/step")
		})
	}
}
