package cell

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// gonbReads takes a rendered cell apart as GoNB does, line by line.
func gonbReads(code string) (commands []string, goText string) {
	var b strings.Builder
	b.WriteString("package main\n")
	inMain := false
	for line := range strings.SplitSeq(code, "\n") {
		text := strings.TrimPrefix(line, gonbPrefix)
		switch {
		case text == "%%":
			b.WriteString("func main() {\n")
			inMain = true
		case len(text) > 1 && (text[0] == '%' || text[0] == '!'):
			commands = append(commands, text)
		case strings.HasPrefix(line, "package"):
		default:
			b.WriteString(line + "\n")
		}
	}
	if inMain {
		b.WriteString("}\n")
	}
	return commands, b.String()
}

// literals returns the values of the string literals of a Go file.
func literals(t *testing.T, text string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "", text, 0)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, is := n.(*ast.BasicLit); is && l.Kind == token.STRING {
			v, err := strconv.Unquote(l.Value)
			if err != nil {
				t.Errorf("%s: %v", l.Value, err)
			}
			values = append(values, v)
		}
		return true
	})
	return values
}

// What is Go is no command, in the eyes of GoNB too.
func TestGoIsNoCommand(t *testing.T) {
	for _, x := range []struct {
		source   string
		commands []string
		literals []string
	}{
		{"s := `a\n!touch x\n%reset\n`\ns;", nil, []string{"a\n!touch x\n%reset\n"}},
		{"const s = `\npackage main\n\nfunc main() {}\n`", nil, []string{"\npackage main\n\nfunc main() {}\n"}},
		{"func f() string {\n\treturn `\n!ls` + `\n//gonb:%ls\n`\n}", nil, []string{"\n!ls", "\n//gonb:%ls\n"}},
		{"s := `\r\n!ls\r\n`\ns;", nil, []string{"\n!ls\n"}},
		{"/* a\n!ls\n%ls */\nx := 1\nx;", nil, nil},
		{"func f() {\n/* a\n!ls */\n}", nil, nil},
		{"// a\n!ls\nx := 1\nx;", []string{"!ls"}, nil},
		{"x := a &&\n!b\nx;", nil, nil},
		{"x := 7\nx = x +\n//gonb:!ls\n3\nx;", nil, nil},
		{"x := a\n!b", []string{"!b"}, nil},
		{"f(\n!b,\n);", nil, nil},
		{"x := []bool{\n!a,\n!b,\n}\nx;", nil, nil},
		{"x := f(\npackages,\n)\nx;", nil, nil},
		{"func f() {\npackages := 1\n_ = packages\n}", nil, nil},
		{"type T struct {\nA int `json:\"a\n!ls\"`\n}", nil, []string{"json:\"a\n!ls\""}},
		{"!echo `\n!ls\nx := `\n!b`\nx;", []string{"!echo `", "!ls"}, []string{"\n!b"}},
		{"!echo 'a \\\n!b'\nx := 1\nx;", []string{"!echo 'a \\\n!b'"}, nil},
		{"//gonb:!ls\n1;", []string{"!ls"}, nil},
		{"%test\nconst s = `\n!ls\n`\nfunc TestA(t *testing.T) {}", []string{"%test"}, []string{"\n!ls\n"}},
		{"! \n!\t\n1;", nil, nil},
	} {
		c := Parse(x.source)
		if err := c.Check(); err != nil {
			t.Errorf("%q: %v", x.source, err)
			continue
		}
		code, _ := c.Render()
		commands, text := gonbReads(code)
		for i, line := range x.commands {
			x.commands[i] = shell(line)
		}
		if !slices.Equal(commands, x.commands) {
			t.Errorf("%q: commands %q, want %q, in:\n%s", x.source, commands, x.commands, code)
		}
		if got := literals(t, text); !slices.Equal(got, x.literals) {
			t.Errorf("%q: literals %q, want %q", x.source, got, x.literals)
		}
	}
}

// Lines and columns behind a rewritten string are those of the cell.
func TestPlacesBehindEdits(t *testing.T) {
	source := "s := `a\n!b` + nothere\nt := c &&\n!d"
	code, _ := Parse(source).Render()
	for _, x := range []struct{ word, place string }{{" + nothere", "2:4"}, {"!d", "4:1"}} {
		if want := fmt.Sprintf("/*cell %s:%s*/%s", ID(source), x.place, x.word); !strings.Contains(code, want) {
			t.Errorf("no %q in:\n%s", want, code)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, x := range []struct {
		source, message string
		line, column    int
	}{
		{"import _ \"embed\"\n\n//go:embed a.txt\nvar s string", "//go:embed does not work", 3, 1},
		{"/*\n#include <math.h>\n*/\nimport \"C\"\n\nC.sqrt(2)", "cgo does not work", 4, 8},
		{"import (\n\t\"fmt\"\n\t`C`\n)\nfmt.Println(1)", "cgo does not work", 3, 2},
		{"%test\n//go:embed a.txt\nvar s string", "//go:embed does not work", 2, 1},
	} {
		e, ok := Parse(x.source).Check().(*SyntaxError)
		if !ok || !strings.Contains(e.Message, x.message) || e.Line != x.line || e.Column != x.column {
			t.Errorf("%q: %v, want line %d, column %d: %s", x.source, e, x.line, x.column, x.message)
		}
	}
	for _, source := range []string{"//go:embedded\nvar s = 1", "//go:noinline\nfunc f() {}", "s := \"C\"\ns", "s := `//go:embed a`\ns"} {
		if err := Parse(source).Check(); err != nil {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// The work for a cell grows with its length: with quadratic work these would take
// minutes.
func TestLongCells(t *testing.T) {
	const n = 100_000
	for name, source := range map[string]string{
		"numbers on a line": "x := []float64{" + strings.Repeat("1.5, ", n) + "}\nlen(x)",
		"lines":             strings.Repeat("x := 1\n", n) + "x",
		"strings":           "x := []string{\n" + strings.Repeat("`\n!a`,\n", n/4) + "}\nlen(x)",
		"commands":          strings.Repeat("!ls\n", n),
	} {
		c := Parse(source)
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Render()
	}
}
