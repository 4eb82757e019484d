package setup

import (
	"os"
	"path/filepath"
	"testing"
)

// What a program is built from decides whether it is looked at again, and nothing else.
func TestStamp(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/m\n\ngo 1.24\n")
	write("main.go", "package main\n\nimport \"example.com/m/part\"\n\nfunc main() { print(part.Text) }\n")
	write("part/part.go", "package part\n\nimport _ \"embed\"\n\n//go:embed texts/a.txt\nvar Text string\n")
	write("part/texts/a.txt", "a")
	write("other/other.go", "package other\n")
	write("notebooks/a.ipynb", "{}")
	write(".git/HEAD", "ref: refs/heads/main\n")
	write("program", "built")
	set, err := settings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if cache := setting(set, "GOCACHE"); !filepath.IsAbs(cache) {
		t.Fatalf("GOCACHE is %q", cache)
	}
	take := func() (s stamp) {
		t.Helper()
		if s.Folders, err = sourceFolders(dir, set, "."); err != nil {
			t.Fatal(err)
		}
		if s.Sum, err = sum(dir, set, s.Folders); err != nil {
			t.Fatal(err)
		}
		s.Made = made([]string{at("program")})
		return s
	}
	if (stamp{}).built(dir, set, at("program")) || readStamp(at("none")).built(dir, set, at("program")) {
		t.Error("built without a stamp")
	}
	for _, x := range []struct {
		name string
		do   func()
		want bool
	}{
		{"nothing", func() {}, true},
		{"a notebook", func() { write("notebooks/a.ipynb", "{ }") }, true},
		{"a package that is not linked", func() { write("other/other.go", "package other // \n") }, true},
		{"a test", func() { write("part/part_test.go", "package part\n") }, true},
		{"a source", func() {
			write("part/part.go", "package part\n\nimport _ \"embed\"\n\n//go:embed texts/a.txt\nvar Text string // the text\n")
		}, false},
		{"a new source", func() { write("part/new.go", "package part\n") }, false},
		{"a source less", func() { os.Remove(at("part/new.go")) }, false},
		{"what is embedded", func() { write("part/texts/a.txt", "ab") }, false},
		{"a requirement", func() { write("go.mod", "module example.com/m\n\ngo 1.25\n") }, false},
		{"another commit", func() { write(".git/HEAD", "0123456789\n") }, false},
		{"a program of somebody else", func() { write("program", "another") }, false},
		{"no program", func() { os.Remove(at("program")) }, false},
	} {
		s := take()
		x.do()
		if got := s.built(dir, set, at("program")); got != x.want {
			t.Errorf("changed %s: built is %v", x.name, got)
		}
	}
	s := take()
	if s.built(dir, append(set, "x\n"...), at("program")) || s.built(t.TempDir(), set, at("program")) {
		t.Error("built with another setting, or in another checkout")
	}
}
