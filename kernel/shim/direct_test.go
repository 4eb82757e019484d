package shim

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`GOROOT='/go' /go/link -o $WORK/a.out "-X=a b" x`:  {`GOROOT='/go'`, "/go/link", "-o", "$WORK/a.out", "-X=a b", "x"},
		`/c/compile -trimpath "$WORK/b001=>" -pack ./m.go`: {"/c/compile", "-trimpath", "$WORK/b001=>", "-pack", "./m.go"},
		`"broken`: {`"broken`},
		"":        nil,
	} {
		if got := words(line); !slices.Equal(got, want) {
			t.Errorf("words(%q) = %q, want %q", line, got, want)
		}
	}
}

// A second cell with the imports of the first is built without the go command, and does
// what its own text says; what a recipe cannot do the go command does.
func TestRecipe(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	t.Setenv("TMPDIR", t.TempDir())
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module cells\n\ngo 1.27\n")
	goDir := t.TempDir() // a go command that can be taken away
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(goDir, "go")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv(GoEnv, link)
	source := func(body string) []byte {
		return []byte("package main\n\nimport \"fmt\"\n\nfunc main() {\n" + body + "\n}\n")
	}
	state := "the state"
	built := func(text []byte) (string, []byte, error) {
		t.Helper()
		write("main.go", string(text))
		program := filepath.Join(cache, buildKey(text, state))
		said, err := compile(program, "main.go", text, BuildFlags, recipeFile(cache, text, state, BuildFlags))
		return program, said, err
	}
	run := func(text []byte, want string) {
		t.Helper()
		program, said, err := built(text)
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if len(said) > 0 {
			t.Errorf("a build that went well says %q", said)
		}
		out, _ := exec.Command(program).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("the program says %q, want %q", out, want)
		}
	}
	run(source("fmt.Println(0)"), "0\n") // no recipe yet if fmt has to be compiled first
	run(source("fmt.Println(1)"), "1\n")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	run(source("fmt.Println(2)"), "2\n")                                     // no go command
	run(source("fmt.Print(); panic(3)"), filepath.Join(dir, "main.go")+":6") // names of files as the go command's
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	_, said, err := built(source("fmt.Println(x)"))
	if err == nil || !bytes.Contains(said, []byte("main.go:6:13: undefined: x")) || bytes.Contains(said, []byte("importcfg")) {
		t.Errorf("a mistake: %v: %s", err, said)
	}
	// Another import list is another recipe; of a mistake in it only the go command's own words are said.
	other := []byte(strings.Replace(string(source("fmt.Println(os.Args[y])")), "import", "import \"os\"\nimport", 1))
	if _, said, err = built(other); err == nil || !bytes.Contains(said, []byte("undefined: y")) || bytes.Contains(said, []byte("WORK=")) {
		t.Errorf("a mistake with other imports: %v: %s", err, said)
	}
	// A recipe that names what is not there any more is passed over, and made again.
	kept := recipeFile(cache, source(""), state, BuildFlags)
	r := readRecipe(kept)
	if r == nil {
		t.Fatal("no recipe")
	}
	write(kept, `{"Compile":["/nowhere/compile"],"Link":["/nowhere/link"]}`)
	run(source("fmt.Println(4)"), "4\n")
	if again := readRecipe(kept); again == nil || !slices.Equal(again.Link, r.Link) {
		t.Errorf("the recipe is %+v", again)
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, text := range []string{"package main\nimport \"C\"\n", "package main\nimport _ \"embed\"\n//go:embed x\nvar x string\n"} {
		if recipeFile(cache, []byte(text), state, BuildFlags) != "" {
			t.Errorf("%q has a recipe", text)
		}
	}
	if recipeFile(cache, source(""), state, append(slices.Clone(BuildFlags), "-race")) != "" {
		t.Error("flags of a user's own have a recipe")
	}
}

// What cells import from folders that may change at any time is not taken from a cache.
func TestElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	for mod, want := range map[string]bool{
		"module cells\nreplace a => /checkout\n":                    false,
		"module cells\nreplace a => b v1.0.0\n":                     false,
		"module cells\nreplace a => /checkout\nreplace b => ../b\n": true,
		"module cells\nreplace (\n\tb => /home/b\n)\n":              true,
	} {
		if err := os.WriteFile("go.mod", []byte(mod), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := elsewhere("/checkout"); got != want {
			t.Errorf("%q: %v", mod, got)
		}
	}
}
