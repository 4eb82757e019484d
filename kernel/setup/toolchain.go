package setup

import (
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goBin is a variable in the kernel's specification. It names the folder of the go command that
// built the kernel, so that the kernel need not run a command to find it.
const goBin = "METAMERS_KERNEL_GOBIN"

// Toolchain puts the Go toolchain that the checkout's go.mod selects first on the path of this
// process. A go command that is older than go.mod runs a newer one, but only inside the checkout;
// cells are compiled outside, and link packages that were compiled inside.
func Toolchain(checkout string) error {
	if Bundled() {
		return nil // Unpack has set one
	}
	command, err := exec.LookPath("go")
	if err != nil || newEnough(command, checkout) {
		return nil // a missing command is reported where it is needed
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

// newEnough reports whether a go command is at least of the version that the checkout's go.mod
// asks for. It reads the file VERSION of the command's GOROOT, and returns false where that or
// go.mod cannot be read.
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
