package engine

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A second engine on the same folder reads the null distribution that the first one
// computed, to the bit, and compiles nothing for it.
func TestNullFromDisk(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	dir := t.TempDir()
	open := func() (*Engine, *evaluate.Null) {
		e := New(b)
		e.nullFiles = nullFiles{dir, 1 << 20}
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

// Files of another key, cut short or too long are not read; several writers at once leave
// a whole file; the files used longest ago are removed.
func TestNullFiles(t *testing.T) {
	set := metamer.NullRef{Name: "a", SHA256: "b", Count: 3, Pairs: 3}
	dist := evaluate.NullOf("m", set, [3][]float64{{-1, 0, .5}, {.1, .2, .3}, {-300, 1, 2.5}})
	key := func(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }
	size := int64(sha256.Size + 72)
	f := nullFiles{filepath.Join(t.TempDir(), "nulls"), 4 * size}
	if f.load(key("x"), "m", set) != nil {
		t.Error("a distribution without a file")
	}
	var all sync.WaitGroup
	for range 32 { // more bytes than are allowed
		all.Go(func() {
			if err := f.keep(key("x"), dist); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := f.load(key("x"), "m", set); !reflect.DeepEqual(got, dist) || got.SNR != 2.5 {
		t.Errorf("%+v, expected %+v", got, dist)
	}
	data, err := os.ReadFile(f.path(key("x")))
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"another key": data, "short": data[:len(data)-8], "long": append(data[:len(data):len(data)], 0), "empty": nil} {
		if err := os.WriteFile(f.path(key("y")), bad, 0o666); err != nil {
			t.Fatal(err)
		}
		if f.load(key("y"), "m", set) != nil {
			t.Errorf("%s is read", name)
		}
	}
	for i, name := range []string{"y", "x", "z", "w"} { // y was used longest ago
		if err := f.keep(key(name), dist); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1e9+int64(i), 0)
		if err := os.Chtimes(f.path(key(name)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.keep(key("v"), dist); err != nil {
		t.Fatal(err)
	}
	if f.load(key("y"), "m", set) != nil || f.load(key("x"), "m", set) == nil || f.load(key("v"), "m", set) == nil {
		t.Error("the file used longest ago is not the one that is removed")
	}
	if none := (nullFiles{}); none.keep(key("x"), dist) != nil || none.load(key("x"), "m", set) != nil {
		t.Error("an engine without a folder keeps a distribution")
	}
}
