package cell

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestClosed(t *testing.T) {
	for _, x := range [][2]string{
		{"var p = mk.Plan{Si‸", "var p = mk.Plan{Si‸}"},
		{"f(g(x, mk.Plan{Si‸", "f(g(x, mk.Plan{Si‸}))"},
		{"f(g(x, mk.Plan{Si‸))", "f(g(x, mk.Plan{Si‸}))"},
		{"f(‸)", "f(‸)"},
		{"x := 1 + ‸", "x := 1 + ‸"},
		{"var p = mk.Plan{\n\tImages: \"photos\", Si‸\nmk.Study(p)", "var p = mk.Plan{\n\tImages: \"photos\", Si‸}\nmk.Study(p)"},
		{"var p = mk.Plan{Si‸ze: 32, // pixels\nmk.Study(p)", "var p = mk.Plan{Si‸ze: 32,} // pixels\nmk.Study(p)"},
		{"func f() {\n\tx := mk.Plan{Si‸\n}", "func f() {\n\tx := mk.Plan{Si‸}\n}"},
		{"a[b(‸\nx", "a[b(‸)]\nx"},
		{"mk.OpenImages(‸\nf(1)", "mk.OpenImages(‸)\nf(1)"},
		{"f(1)\n‸", "f(1)\n‸"},
		{"‸", "‸"},
		{"f(`a‸", "f(`a‸)"},
	} {
		at := strings.Index(x[0], "‸")
		got := closed(strings.Replace(x[0], "‸", "", 1), at)
		if got = got[:at] + "‸" + got[at:]; got != x[1] {
			t.Errorf("%q: %q, want %q", x[0], got, x[1])
		}
	}
	// What follows an open literal is there to be understood.
	text, at := (&Memory{}).Compose("type T struct{ Size int }\nvar p = T{Si\nfmt.Println(p)", len("type T struct{ Size int }\nvar p = T{Si"))
	if _, err := parser.ParseFile(token.NewFileSet(), "", text, 0); err != nil || !strings.HasSuffix(text[:at], "T{Si") {
		t.Errorf("%v in:\n%s", err, text)
	}
}

func FuzzClosed(f *testing.F) {
	f.Add("var p = mk.Plan{Si", 18)
	f.Add("f(`a\nb", 3)
	f.Add("\x98", 0)
	f.Add("!ls {\nf(", 8)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		got := closed(text, at)
		if !strings.HasPrefix(got, text[:at]) || len(got) < len(text) {
			t.Errorf("%q at %d: %q", text, at, got)
		}
		composed, there := (&Memory{}).Compose(text, at)
		if there < 0 || there > len(composed) {
			t.Errorf("%q at %d: %d of %d", text, at, there, len(composed))
		}
	})
}
