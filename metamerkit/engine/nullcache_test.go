package engine

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A second engine on the same folder reads the null distribution that the first one
// computed, to the bit, and compiles nothing for it.
func TestNullFromDisk(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	dir := t.TempDir()
	open := func() (*Engine, *evaluate.Null) {
		e := New(b)
		e.nullFiles = filecache.Cache{Dir: dir, Most: 1 << 20}
		set, err := e.nullSet("photos:50", nil, 32)
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.tappedModel("plain7_48.mm_c10", "late", "")
		if err != nil {
			t.Fatal(err)
		}
		dist, err := e.null(context.Background(), s, set)
		if err != nil {
			t.Fatal(err)
		}
		return e, dist
	}
	first, want := open()
	second, got := open()
	if !reflect.DeepEqual(got, want) || len(first.compiled.Keys()) == 0 || len(second.compiled.Keys()) != 0 {
		t.Errorf("%+v, expected %+v; compiled %d and %d times", got.Null, want.Null, len(first.compiled.Keys()), len(second.compiled.Keys()))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(files[0], data, 0o666); err != nil {
		t.Fatal(err)
	}
	third, got := open()
	if !reflect.DeepEqual(got, want) || len(third.compiled.Keys()) == 0 {
		t.Errorf("a damaged file: %+v, expected %+v computed again", got.Null, want.Null)
	}
	if fourth, got := open(); !reflect.DeepEqual(got, want) || len(fourth.compiled.Keys()) != 0 {
		t.Errorf("the damaged file was not replaced: %+v", got.Null)
	}
}

// A distribution comes back to the bit, and only for as many pairs as it has.
func TestNullFiles(t *testing.T) {
	set := metamer.NullRef{Name: "a", SHA256: "b", Count: 3, Pairs: 3}
	dist := evaluate.NullOf("m", set, [3][]float64{{-1, 0, .5}, {.1, .2, .3}, {-300, 1, 2.5}})
	files, key := filecache.Cache{Dir: t.TempDir(), Most: 1 << 20}, digestOf("x")
	if err := cacheNull(files, key, dist); err != nil {
		t.Fatal(err)
	}
	if got := loadNull(files, key, "m", set); !reflect.DeepEqual(got, dist) || got.SNR != 2.5 {
		t.Errorf("%+v, expected %+v", got, dist)
	}
	if set.Pairs = 4; loadNull(files, key, "m", set) != nil {
		t.Error("3 pairs are read as 4")
	}
}
