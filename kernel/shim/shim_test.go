package shim

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

func TestQuickImports(t *testing.T) {
	for _, x := range []struct{ name, text, want string }{
		{"nothing", "package main\nfunc main() {}", ""},
		{"missing", "package main\nfunc main() { fmt.Println(strings.Repeat(\"a\", 2)) }", `"fmt" "strings"`},
		{"unused", "package main\nimport (\n\t\"fmt\"\n\t\"os\"\n)\nfunc main() { fmt.Println() }", `"fmt"`},
		{"alias", "package main\nimport d \"example.com/x\"\nimport e \"example.com/y\"\nfunc main() { d.X() }", `d "example.com/x"`},
		{"blank", "package main\nimport _ \"image/png\"\nfunc main() {}", `_ "image/png"`},
		{"version", "package main\nimport \"example.com/thing/v2\"\nfunc main() { thing.X() }", `"example.com/thing/v2"`},
		{"shadowed", "package main\nfunc main() { fmt := struct{ a int }{}; _ = fmt.a }", ""},
		{"variable", "package main\nvar log struct{ a int }\nfunc main() { _ = log.a }", ""},
		{"unknown name", "package main\nfunc main() { metamer.X() }", "?"},
		{"ambiguous", "package main\nfunc main() { rand.Int() }", "?"},
		{"other name", "package main\nimport \"gopkg.in/yaml.v3\"\nfunc main() { yaml.X() }", "?"},
		{"dot", "package main\nimport . \"fmt\"\nfunc main() { Println() }", "?"},
		{"broken", "package main\nfunc main() {", "?"},
	} {
		out, ok := quickImports([]byte(x.text))
		if x.want == "?" {
			if ok {
				t.Errorf("%s: sure of %q", x.name, out)
			}
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), "", out, 0)
		if !ok || err != nil {
			t.Errorf("%s: not sure, or broken: %v\n%s", x.name, err, out)
			continue
		}
		var got []string
		for _, i := range f.Imports {
			s := i.Path.Value
			if i.Name != nil {
				s = i.Name.Name + " " + s
			}
			got = append(got, s)
		}
		sort.Strings(got)
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s: imports %s, want %s", x.name, s, x.want)
		}
	}
}

// TestStandard: every path of the table is a package of that name.
func TestStandard(t *testing.T) {
	args := []string{"list", "-f", "{{.Name}} {{.ImportPath}}"}
	for _, path := range cell.Standard {
		args = append(args, path)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, path, _ := strings.Cut(line, " ")
		if cell.Standard[name] != path {
			t.Errorf("%s is called %s", path, name)
		}
		n++
	}
	if n != len(cell.Standard) {
		t.Errorf("%d packages, want %d", n, len(cell.Standard))
	}
}

// TestModInit: cells build against the checkout with its versions, offline.
func TestModInit(t *testing.T) {
	dir := t.TempDir()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := ModInit(dir, checkout); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport (\n\t\"fmt\"\n\n\t\""+cell.DisplayPackage+"\"\n)\n\nfunc main() { fmt.Print(display.Text([]int{1, 2})) }\n"), 0o600)
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "[1 2]" {
		t.Errorf("%v: %s", err, out)
	}
	if err := ModInit(dir, t.TempDir()); err == nil || !strings.Contains(err.Error(), "the module that cells import") {
		t.Errorf("without a module: %v", err)
	}
}

func TestTrim(t *testing.T) {
	dir := t.TempDir()
	for i := range cacheFiles + 10 {
		os.WriteFile(filepath.Join(dir, strings.Repeat("a", i+1)), nil, 0o600)
	}
	trim(dir)
	if left, _ := os.ReadDir(dir); len(left) != cacheFiles {
		t.Errorf("%d files left, want %d", len(left), cacheFiles)
	}
}

// What GoNB keeps of earlier cells does not break a later one.
func TestMended(t *testing.T) {
	const text = "package main\n\nimport (\n\t. \"math\"\n\t. \"strings\"\n)\n\nfunc main() { metamersDisplay.Result(f()) }\n"
	for _, x := range []struct{ said, old, new string }{
		{"./main.go:4:2: \"math\" imported and not used", ". \"math\"", "_ \"math\""},
		{"a:4:5: Pi already declared through dot-import of package math (\"math\")\nb:1:2: other declaration of Pi", ". \"math\"", "_ \"math\""},
		{"main.go:8:39: f() (no value) used as value", "metamersDisplay.Result(f())", "metamersDisplay.None(); (f())"},
		{"main.go:4:2: \"os\" imported and not used", "", ""},
		{"main.go:8:39: undefined: f", "", ""},
	} {
		want := ""
		if x.old != "" {
			want = strings.Replace(text, x.old, x.new, 1)
		}
		if got := string(mended([]byte(text), []byte(x.said))); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", x.said, got, want)
		}
	}
}

// Goroutines of one process, and containers whose processes have the same numbers, write one
// file at the same time.
func TestSameFile(t *testing.T) {
	dir := t.TempDir()
	to, data := filepath.Join(dir, "kept"), bytes.Repeat([]byte("x"), 1<<20)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			from := filepath.Join(dir, strconv.Itoa(i))
			if err := os.WriteFile(from, data, 0o600); err != nil {
				t.Error(err)
			}
			if err := Place(from, to); err != nil {
				t.Error(err)
			}
			Keep(data, to)
			if got, err := os.ReadFile(to); err != nil || len(got) != len(data) {
				t.Errorf("%d bytes, expected %d: %v", len(got), len(data), err)
			}
		})
	}
	all.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "kept?*")); left != nil {
		t.Errorf("left: %v", left)
	}
}
