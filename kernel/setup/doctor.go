package setup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/plugins"
)

// Doctor is the command doctor.
type Doctor struct{}

// Run prints one line a check. It returns an error if the kernel cannot work.
func (*Doctor) Run() error {
	bad := 0
	check := func(name string, err error, good string) {
		if err != nil {
			bad++
			fmt.Printf("  missing  %-12s %v\n", name, err)
		} else {
			fmt.Printf("  ok       %-12s %s\n", name, good)
		}
	}
	hint := func(name, text string) { fmt.Printf("  -        %-12s %s\n", name, text) }
	version := func(name string, args ...string) (string, error) {
		out, err := exec.Command(name, args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	v, err := version("go", "version")
	check("go", err, v)
	checkout, l, err := here()
	check("checkout", err, checkout)
	if err != nil {
		return err
	}
	check("tools", l.CheckTools(), l.Tools)
	_, err = os.Stat(l.Kernel)
	check("kernel", err, l.Kernel)
	if _, err := os.Stat(filepath.Join(l.Lab, "complete")); err == nil {
		v, err := version(filepath.Join(l.Lab, "bin", "jupyter-lab"), "--version")
		check("jupyterlab", err, v+" in "+l.Lab)
	} else {
		hint("jupyterlab", "not set up here (go run ./kernel lab does)")
		v, err := version("python3", "--version")
		check("python3", err, v)
	}
	found := false
	for _, t := range []Target{{}, {SysPrefix: true}, {Prefix: l.Lab}} {
		dir, err := t.specDir()
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "kernel.json")); err == nil {
			check("registered", nil, dir)
			found = true
		}
	}
	if !found {
		hint("registered", "nowhere (go run ./kernel install, or lab)")
	}
	hint("sessions", plugins.Sharing(l.Programs))
	if bad > 0 {
		return fmt.Errorf("%d things are missing", bad)
	}
	return nil
}
