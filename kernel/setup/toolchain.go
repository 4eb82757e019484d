package setup

import (
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goBin names, in the kernel's specification, the folder of the go command that was selected
// when the kernel was built: starting another command to find it would delay the kernel.
const goBin = "METAMERS_KERNEL_GOBIN"

// Toolchain has this process and what it starts use the Go toolchain that the checkout's go.mod
// selects. A go command that is older than go.mod runs a newer one inside the checkout only; cells
// are compiled elsewhere, with the tools of the go command on the path, and link what was
// compiled inside.
func Toolchain(checkout string) error {
	if Bundled() {
		return nil // Unpack has set one
	}
	command, err := exec.LookPath("go")
	if err != nil || newEnough(command, checkout) {
		return nil // a missing one is said where it is needed
	}
	bin := os.Getenv(goBin)
	if bin == "" || !newEnough(filepath.Join(bin, "go"), checkout) {
		cmd := exec.Command(command, "env", "GOROOT")
		cmd.Dir = checkout
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
		}
		bin = filepath.Join(strings.TrimSpace(string(out)), "bin")
	}
	selected, err := os.Stat(filepath.Join(bin, "go"))
	if err != nil {
		return nil // a distribution that keeps the command elsewhere
	}
	if found, err := os.Stat(command); err == nil && os.SameFile(found, selected) {
		return nil
	}
	os.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return nil
}

// newEnough reports whether the version beside a go command is at least that of the checkout's
// go.mod. It is false where either cannot be read.
func newEnough(command, checkout string) bool {
	command, err := filepath.EvalSymlinks(command)
	if err != nil {
		return false
	}
	have, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(command)), "VERSION"))
	if err != nil {
		return false
	}
	module, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(module)) {
		if want, ok := strings.CutPrefix(line, "go "); ok {
			found, _, _ := strings.Cut(string(have), "\n")
			return version.IsValid(found) && version.Compare(found, "go"+strings.TrimSpace(want)) >= 0
		}
	}
	return false
}
