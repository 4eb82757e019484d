package gonb

import (
	"encoding/gob"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	// Cells import gonbui: this keeps its checksums in go.sum, which cells get.
	_ "github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/ensemble-metamers/metamers/kernel/session"
)

// counted is an output that counts displays.
type counted struct {
	session.Output
	n, streams atomic.Int64
}

func (c *counted) Display(session.Bundle) { c.n.Add(1) }
func (c *counted) Stream(_, _ string)     { c.streams.Add(1) }

// TestPipesFinish has a program write displays and end: finish comes back when all are shown.
func TestPipesFinish(t *testing.T) {
	out := &counted{}
	g, err := newGonbPipes(t.TempDir(), "x", out, func() {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(g.paths[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := gob.NewEncoder(f)
	for i := range 2000 {
		d := protocol.DisplayData{Data: map[protocol.MIMEType]any{"text/html": fmt.Sprint(i) + strings.Repeat("x", i%7*i)}}
		if err := e.Encode(&d); err != nil {
			t.Fatal(err)
		}
		if g.finish(); out.n.Load() != int64(i+1) {
			t.Fatalf("%d displays, want %d", out.n.Load(), i+1)
		}
	}
	g.close()
	g.finish() // also once closed
	if n := out.streams.Load(); n != 0 {
		t.Errorf("%d words on standard error", n)
	}
}

// TestPipesBroken has a program write what is not gob: it is told once, and nobody waits.
func TestPipesBroken(t *testing.T) {
	out := &counted{}
	g, err := newGonbPipes(t.TempDir(), "x", out, func() {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	if err := os.WriteFile(g.paths[0], []byte("\x02\x00\x00\x00"), 0); err != nil {
		t.Fatal(err)
	}
	g.finish()
	if n := out.streams.Load(); n != 1 {
		t.Errorf("%d words on standard error, want 1", n)
	}
}

func TestBareSVG(t *testing.T) {
	for _, x := range []struct {
		html string
		want bool
	}{
		{"<div><svg></svg></div>", true},
		{"<svg a='b'><g/></svg>\n", true},
		{"<?xml version='1.0'?>\n<svg></svg>", true},
		{"<div><svg></svg><p>x</p></div>", false},
		{"<div><svg a='b'/></div>", true},
		{"<p>x</p>", false},
		{"plain", false},
		{"<svg></svg><svg></svg>", false},
	} {
		if _, got := bareSVG(x.html); got != x.want {
			t.Errorf("bareSVG(%q) = %v", x.html, got)
		}
	}
}

func TestSubject(t *testing.T) {
	for _, x := range []struct {
		code string
		want int
	}{{"ab‸", 1}, {"‸ab", 0}, {"f(1)‸", 0}, {"fg(1, ‸", 1}, {"f(g(1), ‸)", 0}, {"x := 1\n‸", -1}, {"‸", -1}, {"(1)‸", -1}, {"f(\n\t1,\n‸)", 0}} {
		r := []rune(x.code)
		at := 0
		for r[at] != '‸' {
			at++
		}
		if got := wordAt(append(r[:at:at], r[at+1:]...), at); got != x.want {
			t.Errorf("wordAt(%q) = %d, want %d", x.code, got, x.want)
		}
	}
}
