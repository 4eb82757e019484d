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
				n := 0
				var used, took time.Duration
				var began time.Time
				_, err = Run(context.Background(), Job{Backend: be, Card: c, Options: o, Train: gratings(1, o.Limit+2, 32), Progress: func(p Progress) {
					switch n++; n {
					case 2: // compiled and warm
						b.ResetTimer()
						began, used = time.Now(), backendtest.Processor()
					case b.N + 2: // what follows is the watch at the end of the epoch
						took, used = time.Since(began), backendtest.Processor()-used
						b.StopTimer()
					}
				}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N*o.Batch)/took.Seconds(), "images/s")
				b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/step") // steady on a busy machine
			})
		}
	}
}
