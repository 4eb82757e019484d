//go:build cgo && linux

package engine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A run whose units are loaded from the cache folder has the bits of the one whose units were
// compiled, and nothing is compiled for it.
func TestRunsOfKeptPrograms(t *testing.T) {
	if os.Getenv(backend.CompiledVar) == "off" {
		t.Skipf("%s=off", backend.CompiledVar)
	}
	b := backendtest.Open(t, backend.XLA)
	set, err := images.Open([]string{"photos:2"}, images.Options{Size: 32})
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("METAMERS_CACHE", cache)
	programs := func() (all []os.FileInfo) {
		paths, err := filepath.Glob(filepath.Join(cache, "compiled", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, info)
		}
		return all
	}
	made := func() (all [][]float32) {
		t.Helper()
		e := New(b)
		for _, r := range []metamer.Recipe{
			{Models: members("plain7_48.mm_c10"), Stage: "late", Optimizer: metamer.Optimizer{Name: "lbfgs"}, Steps: 3},
			{Models: members("vit_4_96.mm_c10_linf8"), Stage: "early", Optimizer: metamer.Optimizer{Name: "pgd"}, Steps: 3},
		} {
			r.Null.Name = metamer.NoNull
			run, err := e.Synthesize(context.Background(), Request{Recipe: r, Images: set})
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, run.Metamers), run.Trace.Loss...)
		}
		return all
	}
	want := made()
	kept := programs()
	got := made()
	again := programs()
	if len(kept) < 4 || !slices.EqualFunc(kept, again, os.SameFile) {
		t.Errorf("%d programs, then %d: a program was compiled again", len(kept), len(again))
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("result %d has other bits", i)
		}
	}
}
