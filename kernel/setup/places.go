// Package setup puts together what the kernel needs and registers it with
// Jupyter: GoNB, goimports and gopls from tool modules (kernel/tools), the kernel's
// executable, warm build and module caches, and, for JupyterLab, a virtual
// environment with pinned packages. All of it lies in the cache folder, under names
// that say from which pins it was made, so that nothing is done twice and an update
// of a pin takes effect.
package setup

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Module is the module whose checkout cells import.
const Module = "github.com/ensemble-metamers/metamers"

//go:embed requirements.txt
var requirements []byte

// toolModules are the folders of kernel/tools with the programs that each makes.
var toolModules = []struct {
	dir      string
	programs []string
}{{"gonb", []string{"gonb", "goimports"}}, {"gopls", []string{"gopls"}}}

// A Layout names the places of what set-up makes.
type Layout struct {
	Root     string // all of it
	Tools    string // gonb, goimports, gopls
	Kernel   string // the kernel's executable
	Engine   string // the command metamers, which holds the engine
	Programs string // cache of built cells
	History  string
	Lab      string // virtual environment with JupyterLab
}

// Checkout finds the checkout of the module: METAMERS_KERNEL_CHECKOUT, else the sources
// that came with the kernel (see Bundled), else the working folder or the nearest one
// above it.
func Checkout() (string, error) {
	if d := os.Getenv("METAMERS_KERNEL_CHECKOUT"); d != "" {
		return d, nil
	}
	if Bundled() {
		return filepath.Join(bundleDir(), "sources"), nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if mod, err := os.ReadFile(filepath.Join(d, "go.mod")); err == nil && strings.HasPrefix(string(mod), "module "+Module+"\n") {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no checkout of %s in %s or above (METAMERS_KERNEL_CHECKOUT names one elsewhere)", Module, dir)
		}
	}
}

// Places returns the layout for a checkout.
func Places(checkout string) (Layout, error) {
	root := filepath.Join(paths.Cache(), "kernel")
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	if Bundled() {
		bin := filepath.Dir(executable())
		return Layout{Root: root, Tools: filepath.Join(bundleDir(), "tools"), Kernel: executable(), Engine: filepath.Join(bin, "metamers"),
			Programs: filepath.Join(root, "programs"), History: filepath.Join(root, "history.jsonl"), Lab: filepath.Dir(bin)}, nil
	}
	h := sha256.New()
	for _, m := range toolModules {
		for _, name := range []string{"go.mod", "go.sum"} {
			data, err := os.ReadFile(filepath.Join(checkout, "kernel", "tools", m.dir, name))
			if err != nil {
				return Layout{}, fmt.Errorf("the pins of the tools: %w", err)
			}
			h.Write(data)
		}
	}
	lab := sha256.Sum256(requirements)
	return Layout{
		Root:     root,
		Tools:    filepath.Join(root, "tools-"+hex.EncodeToString(h.Sum(nil)[:6])),
		Kernel:   filepath.Join(root, "bin", "metamers-kernel"),
		Engine:   filepath.Join(root, "bin", "metamers"),
		Programs: filepath.Join(root, "programs"),
		History:  filepath.Join(root, "history.jsonl"),
		Lab:      filepath.Join(root, "lab-"+hex.EncodeToString(lab[:6])),
	}, nil
}

// CheckTools says which tool is missing.
func (l Layout) CheckTools() error {
	var missing []error
	for _, m := range toolModules {
		for _, p := range m.programs {
			if _, err := os.Stat(filepath.Join(l.Tools, p)); err != nil {
				missing = append(missing, fmt.Errorf("%s is not in %s", p, l.Tools))
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w (go run ./kernel install in the checkout sets up what is missing)", errors.Join(missing...))
	}
	return nil
}
