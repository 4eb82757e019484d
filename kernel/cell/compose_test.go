package cell

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestCompose(t *testing.T) {
	var m Memory
	m.Learn("package main\nimport \"math\"\ntype T/*line Cell[ab]:1:7*/ struct{}\nvar (\n\tx = 1\n\ty int\n)\nfunc /*line Cell[ab]:2:6*/f() {}\nfunc (t *T) M() {}\nfunc main() { f() }",
		"import \"math\"\nf()")
	const mark = "‸"
	for _, x := range []struct{ cell, before string }{
		{"x := strings.Rep" + mark, "strings.Rep"},
		{"a := 1\nfunc f() int { return a" + mark + " }\nf()", "return a"},
		{"import \"os" + mark + "\"\nx", "import \"os"},
		{"%%\nx.y" + mark, "x.y"},
		{"!ls\nf(" + mark, "f("},
		{mark, ""},
	} {
		offset := strings.Index(x.cell, mark)
		source := strings.Replace(x.cell, mark, "", 1)
		text, at := m.Compose(source, offset)
		if !strings.HasSuffix(text[:at], x.before) {
			t.Errorf("%q: cursor behind %q", x.cell, text[max(0, at-20):at])
		}
		if strings.Count(text, "func f()") != 1 {
			t.Errorf("%q: f is declared %d times:\n%s", x.cell, strings.Count(text, "func f()"), text)
		}
	}
	text, _ := m.Compose("y + 1\nfmt.Println(x)", 0)
	if _, err := parser.ParseFile(token.NewFileSet(), "", text, 0); err != nil {
		t.Errorf("%v in:\n%s", err, text)
	}
	for _, want := range []string{"import \"fmt\"", "import \"math\"", "type T struct{}", "var x = 1", "var y int", "func (t *T) M() {}"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
