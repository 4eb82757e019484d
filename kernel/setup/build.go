package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/plugins"
	"github.com/ensemble-metamers/metamers/kernel/shim"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// say tells what set-up does.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "kernel: "+format+"\n", args...) }

// step runs one part of set-up and says how long it took, if it took a while.
func step(what string, do func() error) error {
	start := time.Now()
	shown := time.AfterFunc(300*time.Millisecond, func() { say("%s ...", what) })
	err := do()
	shown.Stop()
	if d := time.Since(start); err == nil && d > 300*time.Millisecond {
		say("%s: done in %.1f s", what, d.Seconds())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// run runs a program and puts what it said into the error.
func run(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(said))
	}
	return nil
}

// Build makes the tools, the kernel's executable and warm caches, as far as they
// are missing.
func Build(checkout string, l Layout) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the go command is missing: pip install \"metamers[lab]\" brings it, or https://go.dev/dl (1.27.2 or newer)")
	}
	if err := Toolchain(checkout); err != nil {
		return err
	}
	if Bundled() {
		set, err := settings(checkout)
		if err != nil {
			return err
		}
		return step("compiling what cells import, once", func() error { return warm(checkout, l, set) })
	}
	for _, m := range toolModules {
		missing := false
		for _, p := range m.programs {
			if _, err := os.Stat(filepath.Join(l.Tools, p)); err != nil {
				missing = true
			}
		}
		if !missing {
			continue
		}
		if err := step("building "+strings.Join(m.programs, " and "), func() error { return buildTools(checkout, l, m.dir) }); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(l.Programs, 0o700); err != nil {
		return err
	}
	plugin := make(chan error, 1)
	go func() {
		plugin <- step("bringing the XLA plugin", func() error { return run(checkout, nil, filepath.Join(checkout, "scripts", "setup.sh")) })
	}()
	set, err := settings(checkout)
	if err == nil {
		err = step("building the kernel and the engine", func() error { return buildPrograms(checkout, l, set) })
	}
	if err = errors.Join(err, <-plugin); err != nil {
		return err
	}
	return step("warming the build cache", func() error { return warm(checkout, l, set) })
}

// buildTools installs the tools of a tool module into the layout's folder.
func buildTools(checkout string, l Layout, module string) error {
	if err := os.MkdirAll(l.Root, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(l.Root, ".tools-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := run(checkout, []string{"GOBIN=" + tmp, "GOFLAGS=-trimpath", "GOWORK=off"}, "go", "install", "-C", filepath.Join("kernel", "tools", module), "tool"); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Tools, 0o755); err != nil {
		return err
	}
	made, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, f := range made {
		if err := os.Rename(filepath.Join(tmp, f.Name()), filepath.Join(l.Tools, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// buildPrograms makes the kernel and the command metamers, which holds the engine, by
// one go command: most of what it does when nothing has changed it does once. Where the
// stamp says that they are as they should be it does not even do that.
func buildPrograms(checkout string, l Layout, set []byte) error {
	path := filepath.Join(l.Root, "built")
	s := readStamp(path)
	if s.built(checkout, set, l.Kernel, l.Engine) {
		return nil
	}
	next := filepath.Join(l.Root, "bin", "next")
	if err := os.MkdirAll(next, 0o755); err != nil {
		return err
	}
	programs := []string{"./kernel", "./cmd/metamers"}
	var err error
	if s.Folders, err = sourceFolders(checkout, set, programs...); err != nil {
		return err
	}
	if s.Sum, err = sum(checkout, set, s.Folders); err != nil { // before: what is edited meanwhile is built the next time
		return err
	}
	if err := run(checkout, nil, "go", append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", next + string(filepath.Separator)}, programs...)...); err != nil {
		return err
	}
	if err := errors.Join(put(filepath.Join(next, "kernel"), l.Kernel), put(filepath.Join(next, "metamers"), l.Engine)); err != nil {
		return err
	}
	s.Made = made([]string{l.Kernel, l.Engine})
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return paths.WriteBytes(path, data)
}

// put renames a program that was made anew into place: the one there may be running.
func put(next, target string) error {
	if same(next, target) {
		return nil
	}
	tmp := target + ".tmp"
	os.Remove(tmp)
	if err := os.Link(next, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, target)
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// warmCell imports what cells are likely to import.
const warmCell = `package main

import (
	_ "bufio"
	_ "context"
	_ "encoding/csv"
	_ "encoding/json"
	_ "flag"
	_ "fmt"
	_ "image/color"
	_ "image/jpeg"
	_ "image/png"
	_ "math/rand/v2"
	_ "net/http"
	_ "os/exec"
	_ "regexp"
	_ "sort"
	_ "strings"
	_ "sync"
	_ "time"

	_ "` + Module + `/metamerkit"
)

func main() {}
`

// warm builds once what cells link, so that the first cell need not; modules come
// from the network here, and never later. It is done once for a go.sum.
func warm(checkout string, l Layout, set []byte) error {
	sum, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		return err
	}
	state := append(append(slices.Clone(set), sum...), strings.Join(shim.BuildFlags, " ")+" graph session models library"...)
	done := filepath.Join(l.Root, "warm")
	if Bundled() {
		done = filepath.Join(filepath.Dir(checkout), "warm")
	}
	if was, err := os.ReadFile(done); err == nil && bytes.Equal(was, state) {
		return nil
	}
	// The go.mod files of all modules: without them a cell that imports what none of them
	// has is told of one that is not here, not of %require. No build needs them.
	if err := run(checkout, nil, "go", "mod", "graph"); err != nil {
		fmt.Fprintln(os.Stderr, "kernel: warning: the message for a missing import may be of another module:", err)
	}
	dir, err := os.MkdirTemp("", "metamers-warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Inside the checkout's module: the same packages with the same flags.
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(warmCell), 0o600); err != nil {
		return err
	}
	if err := run(checkout, nil, "go", append(slices.Clone(shim.BuildFlags), "-o", filepath.Join(dir, "cell"), file)...); err != nil {
		return err
	}
	// The same for cells of a session, which are plugins.
	if err := warmSession(checkout, dir, l); err != nil {
		fmt.Fprintln(os.Stderr, "kernel: warning: no session that keeps variables:", err)
	}
	return os.WriteFile(done, state, 0o644)
}

// warmSession builds what the cells of a session link, and its process.
func warmSession(checkout, dir string, l Layout) error {
	command, err := exec.LookPath("go")
	if err != nil {
		return err
	}
	if command, err = filepath.EvalSymlinks(command); err != nil {
		return err
	}
	b := &plugins.Builder{Go: command, Checkout: checkout, Dir: filepath.Join(dir, "module"), Work: filepath.Join(dir, "cells"), Cache: l.Programs}
	if err := b.Ready(); err != nil {
		return err
	}
	if _, _, err = b.Host(); err != nil {
		return err
	}
	if Bundled() { // its first start is to be quick
		return nil
	}
	for _, p := range sessionPackages {
		if _, err := b.Export(p); err != nil {
			return err
		}
	}
	return nil
}

// sessionPackages take long to compile, and cells of the notebooks import them.
var sessionPackages = []string{
	"gonum.org/v1/plot/plotutil",
	"github.com/gomlx/gomlx/core/graph", "github.com/gomlx/gomlx/ml/model",
	Module + "/metamerkit/local", Module + "/metamerkit/stage", Module + "/metamerkit/weights", Module + "/metamerkit/zoo/block",
}
