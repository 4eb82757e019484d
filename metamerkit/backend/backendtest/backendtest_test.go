package backendtest

import (
	"runtime"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
)

// told keeps how a test ended.
type told struct {
	testing.TB
	failed, skipped bool
}

func (t *told) Fatalf(string, ...any) { t.failed = true; runtime.Goexit() }
func (t *told) Skipf(string, ...any)  { t.skipped = true; runtime.Goexit() }

// XLA's plugin, which set-up brings, is missed only where a program can load it; no machine
// needs a GPU.
func TestRequired(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	t.Setenv("CUDA_VISIBLE_DEVICES", "-1")
	for _, c := range []struct {
		kind    backend.Kind
		require string
		failed  bool
	}{{backend.XLA, "", false}, {backend.XLA, "1", backend.HasXLA}, {backend.CUDA, "1", false}} {
		t.Setenv("METAMERS_REQUIRE_DATA", c.require)
		got := &told{TB: t}
		ended := make(chan bool)
		go func() {
			defer close(ended)
			Open(got, c.kind)
		}()
		<-ended
		if got.failed != c.failed || got.skipped == c.failed {
			t.Errorf("%s, METAMERS_REQUIRE_DATA=%q: failed %v, skipped %v", c.kind, c.require, got.failed, got.skipped)
		}
	}
}
