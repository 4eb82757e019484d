package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestToolchain: a go command that runs a newer one inside the checkout is replaced by that.
func TestToolchain(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(goBin, "")
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	older, newer := filepath.Join(dir, "older", "bin", "go"), filepath.Join(dir, "newer", "bin", "go")
	write(older, `[ "$1 $2" = "env GOROOT" ] && [ "$PWD" = "`+dir+`" ] && echo "`+dir+`/newer"`)
	write(newer, `echo "`+dir+`/newer"`)
	t.Setenv("PATH", filepath.Dir(older)+":"+os.Getenv("PATH"))
	for range 2 {
		if err := Toolchain(dir); err != nil {
			t.Fatal(err)
		}
		if found, err := exec.LookPath("go"); err != nil || found != newer {
			t.Fatalf("cells would be compiled with %s, %v; want %s", found, err, newer)
		}
	}
	if want := filepath.Dir(newer) + ":" + filepath.Dir(older); len(os.Getenv("PATH")) < len(want) || os.Getenv("PATH")[:len(want)] != want {
		t.Errorf("PATH is %s, want %s once at its start", os.Getenv("PATH"), want)
	}
	place := func(versions map[string]string) {
		t.Helper()
		for file, text := range versions {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	place(map[string]string{"newer/VERSION": "go1.27.2", "older/VERSION": "go1.26.8", "go.mod": "module x\n\ngo 1.27.2\n"})
	// A kernel whose specification names the folder runs no command to find it.
	t.Setenv("PATH", filepath.Dir(older))
	t.Setenv(goBin, filepath.Dir(newer))
	write(older, "exit 1")
	if err := Toolchain(dir); err != nil {
		t.Fatal(err)
	}
	if found, err := exec.LookPath("go"); err != nil || found != newer {
		t.Fatalf("a kernel would compile with %s, %v; want %s", found, err, newer)
	}
	t.Setenv(goBin, "")
	for text, want := range map[string]bool{"go1.27.1\ntime x": false, "go1.27.2": true, "go1.28rc1\n": true, "devel go1.29": false} {
		place(map[string]string{"newer/VERSION": text})
		if got := newEnough(newer, dir); got != want {
			t.Errorf("VERSION %q is new enough for go 1.27.2: %v, want %v", text, got, want)
		}
	}
	t.Setenv("PATH", filepath.Dir(older))
	write(older, `echo "go.mod requires go >= 9" >&2; exit 1`)
	if err := Toolchain(dir); err == nil {
		t.Error("no error where the go command refuses the checkout")
	}
}
