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
	for typed, want := range map[string]string{NoNull: NoNull, "null:none": NoNull, "./none": "./none", "photos:64": "photos:64"} {
		if got, err := NullName("", typed); err != nil || got != want {
			t.Errorf("%s: %q, %v", typed, got, err)
		}
	}
	here := t.TempDir()
	if err := os.Mkdir(filepath.Join(here, "none"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := NullName(here, NoNull); err == nil || err.Error() != `"none" is both the word for no null set and a folder here: write null:none for the first or ./none for the second` {
		t.Errorf("beside a folder: %v", err)
	}
	if got, err := NullName(here, "null:none"); err != nil || got != NoNull {
		t.Errorf("null:none beside a folder: %q, %v", got, err)
	}
	if err := NotPath(filepath.Join(t.TempDir(), "elsewhere"), "quick", Reading{}); err != nil {
		t.Error("a path in another folder:", err)
	}
}
