package engine

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// resident returns the bytes of this process in memory, the device's among them,
// since the device is the CPU.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("the system does not say how much memory a process has: %v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// The memory of a running synthesis does not grow with its steps: between step 50
// and step 500 a batch of images kept at each of them would be 88 MB on XLA, and
// 22 MB on the slower Go backend.
func TestMemoryIsConstant(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		set, allowed := cifar(t, "cifar10:16"), 16<<20
		if b.Kind == backend.Go {
			set, allowed = cifar(t, "cifar10:4"), 6<<20
		}
		for _, schedule := range metamer.Schedules {
			heap, whole := map[int]int{}, map[int]int{}
			_, err := New(b).Synthesize(context.Background(), Request{
				Images: set, Recipe: metamer.Recipe{Models: members("resnet2b"), Stage: "early", Steps: 550, Optimizer: metamer.Optimizer{Name: "momentum"}, Schedule: metamer.Schedule{Kind: schedule}},
				Progress: func(p metamer.Progress) {
					if p.Phase == "synthesis" && (p.Step == 50 || p.Step == 500) {
						var m runtime.MemStats
						runtime.GC()
						runtime.GC() // the first one finds what finalizers free
						runtime.ReadMemStats(&m)
						heap[p.Step], whole[p.Step] = int(m.HeapAlloc), resident(t)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(heap) != 2 {
				t.Fatalf("measured at %d of 2 steps", len(heap))
			}
			t.Logf("%s: from step 50 to 500 the heap goes from %d to %d KB, the process from %d to %d KB", schedule, heap[50]>>10, heap[500]>>10, whole[50]>>10, whole[500]>>10)
			if heap[500]-heap[50] > allowed || whole[500]-whole[50] > allowed {
				t.Errorf("%s: memory grows with the steps", schedule)
			}
		}
	})
}
