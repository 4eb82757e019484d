package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/cache"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Rows are read again when their file is another, or gone, and what is returned may be
// changed.
func TestRecallRows(t *testing.T) {
	e := newEngine()
	dir, key := t.TempDir(), "0123456789abcdef"
	keep := func(value float64) {
		t.Helper()
		if err := runs.KeepRows(dir, key, metamer.Rows{{Run: "r", Measure: "m", Image: -1, Value: value}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(value float64) {
		t.Helper()
		for range 3 {
			rows, err := e.loadRows(rowFile{dir, key})
			if err != nil || len(rows) != 1 || rows[0].Value != value {
				t.Fatalf("%v %v, want %v", rows, err, value)
			}
			rows[0].Value = -1
		}
	}
	keep(1)
	want(1)
	keep(2)
	want(2)
	files, err := filepath.Glob(filepath.Join(dir, "rows", "*.csv"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], append(text, '\n'), 0o600); err != nil { // damage
		t.Fatal(err)
	}
	if rows, err := e.loadRows(rowFile{dir, key}); err == nil {
		t.Errorf("damaged rows are read: %v", rows)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if rows, err := e.loadRows(rowFile{dir, key}); err == nil {
		t.Errorf("rows that are gone are read: %v", rows)
	}
}

// What is too large, or has no files, is not kept.
func TestRecallRefuses(t *testing.T) {
	same := func(string) string { return "s" }
	c := cache.New[string](10, fileValue[int].bytes, nil)
	cacheFile(c, "a", fileValue[int]{value: 1, stamp: "s", size: 4})
	cacheFile(c, "d", fileValue[int]{value: 4, stamp: "s", size: 11})
	cacheFile(c, "e", fileValue[int]{value: 5, size: 1})
	for _, k := range []string{"d", "e"} {
		if _, ok := fromCache(c, k, same); ok {
			t.Errorf("%s is kept", k)
		}
	}
	if v, ok := fromCache(c, "a", same); !ok || v != 1 {
		t.Errorf("%v %v", v, ok)
	}
	if _, ok := fromCache(c, "a", func(string) string { return "other" }); ok {
		t.Error("what has changed is kept")
	}
	if _, ok := fromCache(c, "a", same); ok {
		t.Error("what had changed is kept")
	}
}
