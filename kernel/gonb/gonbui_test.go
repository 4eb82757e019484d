package gonb

import (
	"testing"

	// Cells import gonbui: this keeps its checksums in go.sum, which cells get.
	_ "github.com/janpfeifer/gonb/gonbui"
)

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
