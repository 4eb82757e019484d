package setup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Toolchain has this process and what it starts use the Go toolchain that the checkout's go.mod
// selects. A go command that is older than go.mod runs a newer one inside the checkout only; cells
// are compiled elsewhere, with the tools of the go command on the path, and link what was
// compiled inside.
func Toolchain(checkout string) error {
	if Bundled() {
		return nil // Unpack has set one
	}
	command, err := exec.LookPath("go")
	if err != nil {
		return nil // said where it is needed
	}
	cmd := exec.Command(command, "env", "GOROOT")
	cmd.Dir = checkout
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	bin := filepath.Join(strings.TrimSpace(string(out)), "bin")
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
