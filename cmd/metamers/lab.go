package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

type labCmd struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Flags of the kernel's lab command, such as --folder; and behind -- arguments for jupyter lab."`
}

func (labCmd) Help() string {
	return `The program must be installed by pip install "metamers[lab]". In a clone of the repository it is: make lab.

Example:
  metamers lab -- --no-browser --port=8890`
}

// Run becomes the kernel's program, which pip installs beside this one.
func (l *labCmd) Run() error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return err
	}
	kernel := filepath.Join(filepath.Dir(self), "metamers-kernel")
	err = syscall.Exec(kernel, append([]string{kernel, "lab"}, l.Args...), os.Environ())
	if errors.Is(err, os.ErrNotExist) {
		return errors.New(`the kernel is not installed beside this program: pip install "metamers[lab]" (Linux x86-64), or in a clone of the repository: make lab`)
	}
	return fmt.Errorf("%s: %w", kernel, err)
}
