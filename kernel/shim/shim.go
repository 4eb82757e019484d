// Package shim is what the kernel puts first on GoNB's PATH under the names go,
// goimports and gopls, and in the place of a cell's program: the kernel's own
// executable, which looks at the name it was called by.
//
//   - "go mod init" writes the go.mod and go.sum of the checkout with a replace to
//     it, so that a cell builds with its versions and nothing is ever fetched.
//   - "go get" without arguments, which GoNB calls before every build, does nothing.
//   - "go build" links without symbol table, takes a program built before from a
//     cache, turns the marks of package cell into line directives, and takes back
//     display.Result around a last expression that has no value.
//   - goimports runs once for the same text.
//   - A cell's program and its shell commands are started with streams from the kernel
//     instead of GoNB's.
package shim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// Environment that the kernel sets for GoNB.
const (
	GoEnv       = "METAMERS_KERNEL_GO"       // the real go
	ToolsEnv    = "METAMERS_KERNEL_TOOLS"    // folder of the real gonb, goimports, gopls
	CheckoutEnv = "METAMERS_KERNEL_CHECKOUT" // the module that cells import
	CacheEnv    = "METAMERS_KERNEL_CACHE"    // folder of built programs
)

// Names are the names under which the executable belongs on GoNB's PATH. As gopls
// it ends at once: the kernel asks a gopls of its own, which it starts by the name
// Gopls, and GoNB would start another.
var Names = []string{"go", "goimports", "gopls", Gopls, cell.Shell}

// Gopls is the name under which the executable becomes the real gopls.
const Gopls = "metamers-gopls"

const cellSuffix = ".cell"

// Main runs the shim if the program was called by one of its names, and does not
// return then.
func Main() {
	name := filepath.Base(os.Args[0])
	switch {
	case slices.Contains(Names, name) || strings.HasPrefix(name, "gonb_"):
	default:
		return
	}
	// What GoNB started ends with GoNB. The setting outlives an exec.
	runtime.LockOSThread()
	parent := os.Getppid()
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0)
	if os.Getppid() != parent {
		os.Exit(1)
	}
	args := os.Args[1:]
	var err error
	code := 0
	switch {
	case name == "go":
		code, err = goCommand(args)
	case name == "goimports":
		code, err = goimports(args)
	case name == "gopls":
		code = 1
	case name == Gopls:
		syscall.Setpriority(syscall.PRIO_PROCESS, 0, 5) // cells first
		err = replace(filepath.Join(os.Getenv(ToolsEnv), "gopls"), args, nil)
	case name == cell.Shell:
		err = startShell(args)
	default:
		err = startCell(args)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		if code == 0 {
			code = 1
		}
	}
	os.Exit(code)
}

// replace makes this process another program.
func replace(path string, args []string, env []string) error {
	if env == nil {
		env = goEnvironment()
	}
	err := syscall.Exec(path, append([]string{path}, args...), env)
	return fmt.Errorf("starting %s: %w", path, err)
}

// goEnvironment is the environment of the real go and gopls: no network, and the
// shims no longer on PATH.
func goEnvironment() []string {
	var env []string
	for _, v := range withoutShims(os.Environ()) {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "GOPROXY", "GOFLAGS", "GOWORK":
		default:
			env = append(env, v)
		}
	}
	return append(env, "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
}

// withoutShims takes the folder of the shims from PATH.
func withoutShims(env []string) []string {
	out := make([]string, len(env))
	for i, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			var rest []string
			for _, d := range filepath.SplitList(path) {
				if !isShimDir(d) {
					rest = append(rest, d)
				}
			}
			v = "PATH=" + strings.Join(rest, string(filepath.ListSeparator))
		}
		out[i] = v
	}
	return out
}

func isShimDir(dir string) bool {
	a, err := os.Stat(filepath.Join(dir, "go"))
	if err != nil {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	b, err := os.Stat(self)
	return err == nil && os.SameFile(a, b)
}

func realGo() string {
	if g := os.Getenv(GoEnv); g != "" {
		return g
	}
	return "go"
}

// command prepares a program that ends with this process.
func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = goEnvironment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}
