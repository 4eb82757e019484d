package engine

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The memory of a running synthesis does not grow with its steps. A batch of images kept
// at each step would be 29 MB in every 150 steps on XLA, and 7 MB on the slower Go
// backend. Allocators may take memory once, at any time, so growth counts only if it
// happens in each of three such stretches.
func TestMemoryIsConstant(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		set, allowed := cifar(t, "cifar10:16"), 6<<20
		if b.Kind == backend.Go {
			set, allowed = cifar(t, "cifar10:4"), 2<<20
		}
		for _, schedule := range metamer.Schedules {
			var heap, whole []int
			_, err := New(b).Synthesize(context.Background(), Request{
				Images: set, Recipe: metamer.Recipe{Models: members("resnet2b"), Stage: "early", Steps: 550, Optimizer: metamer.Optimizer{Name: "momentum"}, Schedule: metamer.Schedule{Kind: schedule}},
				Progress: func(p metamer.Progress) {
					if p.Phase == metamer.Stepping && p.Step >= 50 && p.Step <= 500 && (p.Step-50)%150 == 0 {
						var m runtime.MemStats
						runtime.GC()         // finds what finalizers free
						debug.FreeOSMemory() // or the process keeps garbage, more of it where collections are slow
						runtime.ReadMemStats(&m)
						heap, whole = append(heap, int(m.HeapAlloc)), append(whole, backendtest.Resident(t))
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(heap) != 4 {
				t.Fatalf("measured at %d of 4 steps", len(heap))
			}
			t.Logf("%s: at steps 50, 200, 350 and 500 the heap has %d bytes, the process %d", schedule, heap, whole)
			for name, at := range map[string][]int{"heap": heap, "process": whole} {
				if least := min(at[1]-at[0], at[2]-at[1], at[3]-at[2]); least > allowed {
					t.Errorf("%s: the memory of the %s grows by at least %d bytes in each 150 steps", schedule, name, least)
				}
			}
		}
	})
}
