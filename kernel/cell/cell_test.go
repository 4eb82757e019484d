package cell

import (
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	for _, x := range []struct{ source, want string }{
		{"", "complete"},
		{"1 + 1", "complete"},
		{"x := 3\nx * 2", "complete"},
		{"%%\nfmt.Println(1)", "complete"},
		{"%% --flag\nfmt.Println(1)", "complete"},
		{"//gonb:%%\nfmt.Println(1)", "complete"},
		{"!ls -l", "complete"},
		{"%ls", "complete"},
		{"%%bash\nfor i in 1 2; do", "complete"},
		{"func f() int { return 1 }", "complete"},
		{"func (t T) M() {}", "complete"},
		{"func() { fmt.Println(1) }()", "complete"},
		{"import \"fmt\"\nvar x = `a\nb`", "complete"},
		{"if x {\n} else {\n}", "complete"},
		{"%%", "incomplete"},
		{"!ls \\", "incomplete"},
		{"func f() {", "incomplete"},
		{"for i := range 3 {\n\tx(", "incomplete"},
		{"x :=", "incomplete"},
		{"a +", "incomplete"},
		{"var s = `abc", "incomplete"},
		{"/* abc", "incomplete"},
		{"%%\nfor i := range 3 {", "incomplete"},
		{"import (", "incomplete"},
		{"x := )", "invalid"},
		{"1 1", "invalid"},
		{"func f() { return 1 1 }", "invalid"},
		{"}", "invalid"},
		{"\"abc", "invalid"},
		{"x = 'ab'", "invalid"},
		{"func main() {}\nx := 1", "invalid"},
	} {
		if got, _ := Complete(x.source); got != x.want {
			t.Errorf("Complete(%q) = %s, want %s", x.source, got, x.want)
		}
	}
	if _, indent := Complete("func f() {\n\tif x {"); indent != "\t\t" {
		t.Errorf("indent %q, want two tabs", indent)
	}
}

// What the composed file has behind the cell is not named.
func TestEndOfCell(t *testing.T) {
	for source, want := range map[string]string{
		"x :=":            "line 1, column 5: expected operand, found the end of the cell",
		"a +\n// comment": "line 2, column 11: expected operand, found the end of the cell",
		"x := )":          "line 1, column 6: expected operand, found ')'",
		"if x { y := }":   "line 1, column 13: expected operand, found '}'",
	} {
		if err := Parse(source).Check(); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

func TestCheckPlaces(t *testing.T) {
	for _, x := range []struct {
		source       string
		line, column int
	}{
		{"x := 1\ny := )", 2, 6},
		{"%%\n\n  y := )", 3, 8},
		{"!echo\nfunc f() {}\nz := 1 2", 3, 8},
		{"x := 1\nfunc f() { 1 1 }", 2, 14},
		{"a := \"abc", 1, 6},
	} {
		err := Parse(x.source).Check()
		e, ok := err.(*SyntaxError)
		if !ok || e.Line != x.line || e.Column != x.column {
			t.Errorf("Check(%q) = %v, want line %d, column %d", x.source, err, x.line, x.column)
		}
	}
}

func TestRender(t *testing.T) {
	const imp = "import metamersDisplay \"github.com/ensemble-metamers/metamers/metamerkit/display\"\n"
	for _, x := range []struct{ name, source, want string }{
		{"expression", "1 + 1", imp + "%%\n/*cell 7:1:1*/metamersDisplay.Result(/*cell 7:1:1*/1 + 1)\n"},
		{"comment behind", "x // note", imp + "%%\n/*cell 7:1:1*/metamersDisplay.Result(/*cell 7:1:1*/x) // note\n"},
		{"semicolon", "x;", "%%\n/*cell 7:1:1*/x;\n"},
		{"main", "%%\nx := 1\nx", imp + "%%\n/*cell 7:2:1*/x := 1\n/*cell 7:3:1*/metamersDisplay.Result(/*cell 7:3:1*/x)\n"},
		{"printing", "%%\nfmt.Println(1)", "%%\n/*cell 7:2:1*/fmt.Println(1)\n"},
		{"declarations", "// Doc.\nfunc f() int {\n\treturn 1\n}", "// Doc.\nfunc /*cell 7:2:6*/f() int {\n\treturn 1\n}\n"},
		{"hoisted", "x := f()\nfunc f() int { return 1 }\nx", imp + "func /*cell 7:2:6*/f() int { return 1 }\n%%\n/*cell 7:1:1*/x := f()\n/*cell 7:3:1*/metamersDisplay.Result(/*cell 7:3:1*/x)\n"},
		{"type", "type T struct{ a int }", "type T/*cell 7:1:7*/ struct{ a int }\n"},
		{"var", "var x = 1", "var x = 1\n"},
		{"special", "!ls\n%args -x\nx", "!exec metamers-shell -c 'ls'\n%args -x\n" + imp + "%%\n/*cell 7:3:1*/metamersDisplay.Result(/*cell 7:3:1*/x)\n"},
		{"bash", "%%bash\nls", "%%script metamers-shell bash\nls"},
		{"help", "%help", ""},
		{"own main", "func main() { f() }", "func /*cell 7:1:6*/main() { f() }\n"},
		{"literal", "func() int { return 1 }()", imp + "%%\n/*cell 7:1:1*/metamersDisplay.Result(/*cell 7:1:1*/func() int { return 1 }())\n"},
		{"chain", "a.\n\tb().\n\tc()", imp + "%%\n/*cell 7:1:1*/metamersDisplay.Result(/*cell 7:1:1*/a.\n\tb().\n\tc())\n"},
	} {
		got, _ := Parse(x.source).Render()
		// Go text keeps white space between chunks.
		squeeze := func(s string) string {
			for strings.Contains(s, "\n\n") {
				s = strings.ReplaceAll(s, "\n\n", "\n")
			}
			return s
		}
		if want := strings.ReplaceAll(x.want, "/*cell 7:", "/*cell "+ID(x.source)+":"); squeeze(got) != want {
			t.Errorf("%s:\ngot  %q\nwant %q", x.name, squeeze(got), want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"%%\nx", "func (a b) c() {}", "!ls \\\nx", "`", "/*", "%require a@b", "}\n{", "//gonb:%%\n1", "é := 1\né"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s, _ := Complete(s); s == "" {
			t.Error("no status")
		}
		c := Parse(s)
		if c.Check() == nil {
			c.Render()
		}
	})
}

func TestCommandsBeforeAndAfter(t *testing.T) {
	c := Parse("%vars\n%cd a\nx := 3\n!ls\nx++\n%env B=1\n%restart\n%require m@v1\n")
	before, after := c.Commands()
	if got := strings.Join(before, ";") + "|" + strings.Join(after, ";"); got != "%cd a;"+shell("!ls")+"|%env B=1" {
		t.Errorf("GoNB's commands before|after the code: %s", got)
	}
	before, after = c.OwnCommands()
	if got := strings.Join(before, ";") + "|" + strings.Join(after, ";"); got != "%vars;%require m@v1|%restart" {
		t.Errorf("the kernel's commands before|after the code: %s", got)
	}
}
