package history

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func inputs(es []Entry) (out []string) {
	for _, e := range es {
		out = append(out, fmt.Sprintf("%d/%d %s", e.Session, e.Line, e.Input))
	}
	return out
}

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "history.jsonl")
	h, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	h.Add(1, "x := 1")
	h.Add(2, "x + 1\ny")
	h.AddOutput(2, "2")
	other, err := Open(path) // at the same time
	if err != nil {
		t.Fatal(err)
	}
	other.Add(1, "zz")
	h.Add(3, "x + 1\ny")
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString("garbage\n{\"s\":\n")
	f.Close()
	h, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		got  []Entry
		want string
	}{
		{"tail", h.Tail(3), "[1/2 x + 1\ny 2/1 zz 1/3 x + 1\ny]"},
		{"tail of all", h.Tail(99), "[1/1 x := 1 1/2 x + 1\ny 2/1 zz 1/3 x + 1\ny]"},
		{"range", h.Range(1, 1, 3), "[1/1 x := 1 1/2 x + 1\ny]"},
		{"range before", h.Range(-1, 1, 0), "[2/1 zz]"},
		{"range now", h.Range(0, 1, 0), "[]"},
		{"search", h.Search("x*", 0, false), "[1/1 x := 1 1/2 x + 1\ny 1/3 x + 1\ny]"},
		{"search n", h.Search("x*", 2, false), "[1/2 x + 1\ny 1/3 x + 1\ny]"},
		{"search unique", h.Search("*+*", 0, true), "[1/3 x + 1\ny]"},
		{"search ?", h.Search("z?", 0, false), "[2/1 zz]"},
		{"search (", h.Search("(", 0, false), "[]"},
	} {
		if got := fmt.Sprint(inputs(x.got)); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	if e := h.Range(1, 2, 3)[0]; e.Output == nil || *e.Output != "2" {
		t.Errorf("output of 1/2: %v", e.Output)
	}
}

func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			h, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				h.Add(i+1, "input")
			}
		})
	}
	wg.Wait()
	h, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.Tail(1000)); n != 400 || h.session != 9 {
		t.Errorf("%d entries, session %d; want 400 and 9", n, h.session)
	}
}
