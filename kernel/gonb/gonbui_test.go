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
