// Package plugins compiles the packages of cells and links them as plugins for the
// process of a session. It calls the compiler and the linker itself; the go command is
// asked where the export data of packages lie, once for the packages that cells are
// likely to import and once for each other, and the answers are kept.
package plugins

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/shim"
)

const module = "github.com/ensemble-metamers/metamers/"

// flags are what host and plugins are built with: they have to be the same. The linker
// may leave out the maps of a package that its first plugin does not use; a later plugin
// would find them empty, because a package is initialized once. wrapglobalmapctl has them
// kept.
var flags = []string{"-trimpath", "-tags=netgo,osusergo", "-gcflags=all=-d=wrapglobalmapctl=1"}

// base are the packages that a session knows from the beginning.
var base = strings.Fields(`bufio bytes cmp context embed encoding/csv encoding/json errors flag fmt image image/color image/jpeg image/png io log maps math math/rand
	math/rand/v2 net/http os os/exec path/filepath plugin reflect regexp runtime/cgo runtime/debug slices sort strconv strings sync sync/atomic time unicode
	` + module + `metamerkit ` + module + `metamerkit/display ` + module + `metamerkit/display/running ` + module + `metamerkit/display/timeit`)

// A Builder builds for one kernel.
type Builder struct {
	Go       string                // the go command
	Checkout string                // the module that cells import
	Dir      string                // folder with the go.mod and go.sum of cells
	Cache    string                // where answers of the go command and the host are kept
	Work     string                // where packages of cells go
	Plugins  string                // where their plugins go until they are loaded; Work if empty
	Start    func(*exec.Cmd) error // starts a process

	mu      sync.Mutex
	ctx     context.Context   // of the cell that is built; its end ends compiler and go command
	made    string            // key of what exports are of
	exports map[string]string // file by package
	changed string            // a package that is another one by now
	asked   map[string]bool   // packages besides base
	next    map[string]string // exports of the next session, where they are others
	cells   map[string]string // archive by package of a cell
	lib     *library          // that host and plugins share; nil if each has all that it imports
	tools   string            // folder of compiler and linker
	cc      []string
	ld      string // the script that the linker calls in the place of cc

	report atomic.Pointer[report] // of the command that runs
}

// During has the end of a context end what is compiled, until the next call.
func (b *Builder) During(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ctx = ctx
}

// ErrNoCompiler says that plugins cannot be linked.
var ErrNoCompiler = errors.New("a C compiler is needed to link the cells of a session: apt-get install gcc, or pip install ziglang")

// Ready finds what it takes to build plugins and writes the module files of cells.
func (b *Builder) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.exports != nil {
		return nil
	}
	var err error
	if b.cc, err = compiler(); err != nil {
		return err
	}
	if os.Getenv("CGO_ENABLED") == "0" {
		return errors.New("a session needs cgo, and CGO_ENABLED is 0: start Jupyter without it")
	}
	if b.Plugins == "" {
		b.Plugins = b.Work
	}
	for _, d := range []string{b.Dir, b.Work, b.Cache, b.Plugins} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(b.Dir, "go.mod")); err != nil {
		if err := shim.ModInit(b.Dir, b.Checkout); err != nil {
			return err
		}
	}
	if b.ld, err = b.linker(); err != nil {
		return err
	}
	// The toolchain is the one that the module files ask for, which need not be that of b.Go.
	root, err := b.output(b.command(b.Go, "env", "GOROOT"))
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	b.tools = filepath.Join(strings.TrimSpace(string(root)), "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH)
	b.cells, b.asked = map[string]string{}, map[string]bool{}
	return b.know()
}

// know has the go command list the packages that cells import, as they are now. The lock
// is held.
func (b *Builder) know() error {
	key, err := b.key()
	if err != nil {
		return err
	}
	if err := b.share(); err != nil {
		return err
	}
	exports := map[string]string{}
	if err := b.list(exports, b.known()); err != nil {
		return err
	}
	b.made, b.exports, b.changed = key, exports, ""
	return nil
}

// known are the packages that the session knows by now. The lock is held.
func (b *Builder) known() []string {
	all := slices.Concat(base, slices.Sorted(maps.Keys(b.asked)))
	if b.lib != nil {
		all = append(all, modulePackage)
	}
	return all
}

// compiler finds a C compiler.
func compiler() ([]string, error) {
	if cc := strings.Fields(os.Getenv("CC")); len(cc) > 0 {
		if _, err := exec.LookPath(cc[0]); err == nil {
			return cc, nil
		}
	}
	for _, name := range []string{"gcc", "clang", "cc"} {
		if path, err := exec.LookPath(name); err == nil {
			cc := []string{path}
			if _, err := exec.LookPath("ld.gold"); err == nil { // links a plugin in less time than ld
				cc = append(cc, "-fuse-ld=gold")
			}
			return cc, nil
		}
	}
	if path, err := exec.LookPath("python-zig"); err == nil { // of the wheel ziglang
		return []string{path, "cc"}, nil
	}
	for _, python := range []string{"python3", "python"} {
		if exec.Command(python, "-c", "import ziglang").Run() == nil {
			return []string{python, "-m", "ziglang", "cc"}, nil
		}
	}
	return nil, ErrNoCompiler
}

// script links with the C compiler, but for the programs without content by which the Go
// linker finds out whether options that plugins can do without are known: to link these
// would take longer than to link the cell.
const script = `#!/bin/sh
case "$*" in *trivial.c) exit 1 ;; esac
exec %s "$@"
`

// linker writes the script.
func (b *Builder) linker() (file string, err error) {
	var quoted []string
	for _, word := range b.cc {
		quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	file = filepath.Join(b.Plugins, "cc")
	return file, os.WriteFile(file, fmt.Appendf(nil, script, strings.Join(quoted, " ")), 0o700)
}

// command prepares a program with the environment of cells' builds.
func (b *Builder) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = b.Dir
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GOPROXY", "GOFLAGS", "GOWORK", "GOGC":
		default:
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=1", "GOGC=400")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	return cmd
}

// output runs a command and returns what it said. That of one that fails is its error.
func (b *Builder) output(cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	var said report
	cmd.Stdout, cmd.Stderr = &out, &said
	b.report.Store(&said)
	defer b.report.Store(nil)
	start := b.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	runtime.LockOSThread() // Pdeathsig looks at the thread, which another goroutine could end
	defer runtime.UnlockOSThread()
	err := start(cmd)
	if err == nil {
		if b.ctx != nil {
			defer context.AfterFunc(b.ctx, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })()
		}
		err = cmd.Wait()
	}
	if err != nil {
		_, text := said.split()
		text = strings.TrimSpace(text + out.String())
		if text == "" {
			text = err.Error()
		}
		return out.Bytes(), &Failure{Said: text, Err: err}
	}
	return out.Bytes(), nil
}

// A Failure is that of a command.
type Failure struct {
	Said string
	Err  error
}

func (f *Failure) Error() string { return f.Said }
func (f *Failure) Unwrap() error { return f.Err }

// key identifies all that the export data of packages depend on.
func (b *Builder) key(args ...string) (string, error) {
	h := b.toolKey(args)
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	if err := shim.Stamp(h.Write, b.Checkout); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// toolKey identifies what builds packages, and how.
func (b *Builder) toolKey(args []string) hash.Hash {
	h := sha256.New()
	for _, name := range []string{b.Go, filepath.Join(b.tools, "link")} {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(h, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, v := range []string{"GOEXPERIMENT", "GOOS", "GOARCH", "GOAMD64", "CGO_CFLAGS", "CGO_LDFLAGS"} {
		fmt.Fprintf(h, "%s=%s\n", v, os.Getenv(v))
	}
	fmt.Fprintf(h, "%q %q %q\n", flags, args, b.cc)
	return h
}

// list adds the export data of packages, and of all that they import, to a map. Packages are
// compiled in another way where there is a library: those of one way cannot be linked in the
// other. The lock is held.
func (b *Builder) list(to map[string]string, paths []string) error {
	way := "-buildmode=plugin"
	if b.lib != nil {
		way = "-linkshared"
	}
	key, err := b.key(slices.Concat([]string{way}, paths)...)
	if err != nil {
		return err
	}
	kept := filepath.Join(b.Cache, "exports-"+key)
	if data, err := os.ReadFile(kept); err == nil && read(to, string(data)) {
		touch(kept)
		return nil
	}
	args := append([]string{"list", "-v", "-export", "-deps", way}, flags...)
	args = append(args, "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}", "--")
	out, err := b.output(b.command(b.Go, append(args, paths...)...))
	if err != nil {
		return err
	}
	if !read(to, string(out)) {
		return fmt.Errorf("go list: export data of %s are not where they should be", strings.Join(paths, " "))
	}
	shim.Keep(out, kept)
	return nil
}

// touch says that a file of the cache is in use: those used last stay.
func touch(file string) {
	now := time.Now()
	os.Chtimes(file, now, now)
}

// read reads lines of packages and files into a map, and reports whether the files are
// there.
func read(to map[string]string, text string) bool {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		path, file, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return false
		}
		found[path] = file
	}
	maps.Copy(to, found)
	return len(found) > 0
}

// Export returns the file with the export data of a package.
func (b *Builder) Export(path string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.exports[path]; f != "" {
		return f, nil
	}
	found := map[string]string{}
	if err := b.list(found, []string{path}); err != nil {
		return "", err
	}
	if found[path] == "" {
		return "", fmt.Errorf("the go command knows no package %s", path)
	}
	for _, p := range slices.Sorted(maps.Keys(found)) {
		if was := b.exports[p]; was != "" && was != found[p] {
			if b.next != nil {
				return "", fmt.Errorf("it needs %s in another version than the session has: %%restart takes it", p)
			}
			b.changed = p
			return "", fmt.Errorf("it needs %s, which has changed", p)
		}
	}
	maps.Copy(b.exports, found)
	b.asked[path] = true
	return found[path], nil
}

// Changed returns a package that a cell has asked for and that is another one by now than
// that of the session, or "".
func (b *Builder) Changed() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// config is the list of packages for compiler and linker. The lock is held.
func (b *Builder) config(file string) error {
	all := maps.Clone(b.exports)
	maps.Copy(all, b.cells)
	os.Remove(file)
	return writeConfig(file, "packagefile", all)
}

// Host returns the program of a session that begins, which it builds if need be, and
// whether the packages that cells import are others than before.
func (b *Builder) Host() (file string, renewed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range 3 { // sources that are edited meanwhile are read again
		key, err := b.key()
		if err != nil {
			return "", false, err
		}
		if key != b.made || b.lib != nil && !b.lib.here() {
			renewed = true
			if err := b.know(); err != nil {
				return "", false, err
			}
		}
		if file, err = b.host(key); err != nil {
			return "", false, err
		}
		if now, err := b.key(); err != nil || now == key {
			return file, renewed, err
		}
		os.Remove(file)
	}
	return "", false, errors.New("the sources of the checkout change all the time")
}

// host builds the program of a session. The lock is held.
func (b *Builder) host(key string) (string, error) {
	h := sha256.New()
	if err := shim.StampOf(h.Write, b.Checkout, "kernel/live"); err != nil {
		return "", err
	}
	if b.lib != nil {
		fmt.Fprintln(h, b.lib.cached)
	}
	kept := filepath.Join(b.Cache, "host-"+key+hex.EncodeToString(h.Sum(nil)[:4]))
	if _, err := os.Stat(kept); err == nil {
		touch(kept)
		return kept, nil
	}
	tmp := shim.Temporary(kept)
	if b.lib != nil {
		found := map[string]string{}
		if err := b.list(found, []string{hostPackage}); err != nil {
			return "", err
		}
		if err := b.linkHost(tmp, found); err != nil {
			return "", err
		}
		return kept, os.Rename(tmp, kept)
	}
	args := append([]string{"build", "-v"}, flags...)
	if _, err := b.output(b.command(b.Go, append(args, "-ldflags=-s -w", "-o", tmp, hostPackage)...)); err != nil {
		return "", err
	}
	return kept, os.Rename(tmp, kept)
}
