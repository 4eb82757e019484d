package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Rows are read again when their file is another, or gone, and what is returned may be
// changed.
func TestRecallRows(t *testing.T) {
	e := &Engine{}
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
			rows, err := e.loadRows(dir, key)
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
	if rows, err := e.loadRows(dir, key); err == nil {
		t.Errorf("damaged rows are read: %v", rows)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if rows, err := e.loadRows(dir, key); err == nil {
		t.Errorf("rows that are gone are read: %v", rows)
	}
}

// What is kept is bounded, and what was used last stays.
func TestRecallBounded(t *testing.T) {
	var m recall
	same := func(any) string { return "s" }
	const third = maxRecalled/3 + 1
	m.put("a", "s", 1, third)
	m.put("b", "s", 2, third)
	m.get("a", same)
	m.put("c", "s", 3, third)
	if m.get("a", same) != 1 || m.get("b", same) != nil || m.get("c", same) != 3 || m.bytes != 2*third {
		t.Errorf("%v, %d bytes", m.order, m.bytes)
	}
	m.put("d", "s", 4, maxRecalled+1)
	m.put("e", "", 5, 1)
	if m.get("d", same) != nil || m.get("e", same) != nil {
		t.Error("what is too large, or has no files, is kept")
	}
	if m.get("a", func(any) string { return "other" }) != nil || m.get("a", same) != nil {
		t.Error("what has changed is kept")
	}
}
