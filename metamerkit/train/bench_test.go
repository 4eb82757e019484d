package train

import (
	"context"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// BenchmarkStep measures a training step of each architecture, after compilation:
// the metric images/s is what a cost estimate of a training needs.
func BenchmarkStep(b *testing.B) {
	be := backendtest.Open(b, backend.Auto)
	for _, a := range Architectures() {
		for _, threat := range []string{"", "linf:8/255"} {
			name := a.Name
			o := a.Recipe
			o.HeldOut, o.Attacked = 2, 1
			if threat != "" {
				name += ".robust"
				o.Threat, _ = ParseThreat(threat)
			}
			b.Run(name, func(b *testing.B) {
				c, err := a.Card(a.Name, 32, 10, "")
				if err != nil {
					b.Fatal(err)
				}
				o.Batch, o.Epochs = 128, 1
				if be.Kind == backend.CUDA {
					o.Batch = 512
				}
				o.Limit = (b.N + 2) * o.Batch
				n, began := 0, false
				var used time.Duration
				_, err = Run(context.Background(), Job{Backend: be, Card: c, Options: o, Train: gratings(1, o.Limit+2, 32), Progress: func(p Progress) {
					if n++; n == 2 && !began { // compiled and warm
						b.ResetTimer()
						used = backendtest.Processor()
						began = true
					}
				}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N*o.Batch)/b.Elapsed().Seconds(), "images/s")
				b.ReportMetric((backendtest.Processor()-used).Seconds()/float64(b.N), "cpu-s/step") // steady on a busy machine
			})
		}
	}
}
