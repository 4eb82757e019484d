package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Name is the kernel's name in Jupyter, DisplayName what its users see.
const (
	Name        = "metamers-go"
	DisplayName = "Go (metamers)"
)

// A Target says into which Jupyter the kernel goes. With none given it is the
// user's.
type Target struct {
	User      bool   `help:"For this user (the default)." xor:"target"`
	SysPrefix bool   `help:"Into the Python environment that is active." xor:"target"`
	Prefix    string `help:"Into the environment in this folder." xor:"target" type:"path"`
}

// dataDir returns the Jupyter data folder of the target.
func (t Target) dataDir() (string, error) {
	switch {
	case t.Prefix != "":
		return filepath.Join(t.Prefix, "share", "jupyter"), nil
	case t.SysPrefix:
		for _, python := range []string{"python3", "python"} {
			out, err := exec.Command(python, "-c", "import sys; print(sys.prefix)").Output()
			if err == nil {
				return filepath.Join(strings.TrimSpace(string(out)), "share", "jupyter"), nil
			}
		}
		return "", errors.New("--sys-prefix: no Python on PATH")
	}
	if d := os.Getenv("JUPYTER_DATA_DIR"); d != "" {
		return d, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "jupyter"), nil
	}
	return filepath.Join(home, ".local", "share", "jupyter"), nil
}

func (t Target) specDir() (string, error) {
	d, err := t.dataDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(d, "kernels", Name), nil
}

// WriteSpec registers the kernel with the target's Jupyter and returns the folder.
func (t Target) WriteSpec(checkout string, l Layout) (string, error) {
	dir, err := t.specDir()
	if err != nil {
		return "", err
	}
	env := map[string]string{"METAMERS_KERNEL_CHECKOUT": checkout}
	for _, name := range []string{"METAMERS_CACHE", "METAMERS_DATA", "GOTOOLCHAIN"} { // as they are now
		if v := os.Getenv(name); v != "" {
			env[name] = v
		}
	}
	if command, err := exec.LookPath("go"); err == nil && !Bundled() {
		env[goBin] = filepath.Dir(command)
	}
	spec, err := json.MarshalIndent(map[string]any{
		"argv":                    []string{l.Kernel, "run", "{connection_file}"},
		"display_name":            DisplayName,
		"language":                "go",
		"interrupt_mode":          "signal",
		"env":                     env,
		"metadata":                map[string]any{"debugger": false},
		"kernel_protocol_version": "5.4",
	}, "", "  ")
	if err != nil {
		return "", err
	}
	files := map[string][]byte{"kernel.json": append(spec, '\n'), "logo-svg.svg": []byte(logoSVG)}
	for _, size := range []int{32, 64} {
		var b bytes.Buffer
		if err := png.Encode(&b, logo(size)); err != nil {
			return "", err
		}
		files[fmt.Sprintf("logo-%dx%d.png", size, size)] = b.Bytes()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			continue
		}
		tmp := path + ".tmp"
		if err := os.WriteFile(tmp, data, 0o644); err != nil {
			return "", err
		}
		if err := os.Rename(tmp, path); err != nil {
			return "", err
		}
	}
	return dir, nil
}
