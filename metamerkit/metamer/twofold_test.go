package metamer

import (
	"os"
	"path/filepath"
	"testing"
)

// A name that is also a path is an error that says how to write each; with its kind before it,
// or with ./, it is one of them.
func TestNameOrPath(t *testing.T) {
	t.Chdir(t.TempDir())
	known := func(n string) bool { return n == "quick" || n == "full" }
	if err := os.Mkdir("quick", 0o777); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]struct {
		name   string
		isName bool
		err    string
	}{
		"quick":      {"quick", true, `"quick" is both the plan quick and a folder here: write plan:quick for the first or ./quick for the second`},
		"plan:quick": {"quick", true, ""},
		"./quick":    {"./quick", false, ""},
		"full":       {"full", true, ""},
		"plan:other": {"plan:other", false, ""},
		"other.yaml": {"other.yaml", false, ""},
	} {
		name, isName, err := NameOrPath("plan", arg, known)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if name != want.name || isName != want.isName || text != want.err {
			t.Errorf("%s: %q, %v, %q", arg, name, isName, text)
		}
	}
	if err := NotPath(filepath.Join(t.TempDir(), "elsewhere"), "quick", Reading{}); err != nil {
		t.Error("a path in another folder:", err)
	}
}
