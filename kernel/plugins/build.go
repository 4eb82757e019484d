package plugins

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/kernel/state"
)

// wrapper is the main package of a plugin, by which the host finds the cell.
const wrapper = `package main

import c %q

func Cell() (define, run func(), defined func() []bool, pointers func() []any) {
	return c.%[2]sDefine, c.%[2]sRun, c.%[2]sDefined, c.%[2]sPointers
}

func main() {}
`

// Build compiles the package of a cell and links it as a plugin.
func (b *Builder) Build(p *state.Package) (file string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dir := filepath.Join(b.Work, filepath.Base(p.Path))
	file = b.plugin(p)
	if _, err := os.Stat(file); err == nil && b.cells[p.Path] != "" {
		return file, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	config := filepath.Join(dir, "importcfg")
	archive := filepath.Join(dir, "cell.a")
	if err := b.compile(dir, "cell", p.Path, p.Source, archive); err != nil {
		return "", err
	}
	b.cells[p.Path] = archive
	main := filepath.Join(dir, "main.a")
	if err := b.compile(dir, "main", p.Path+"/main", fmt.Sprintf(wrapper, p.Path, state.Mark), main); err != nil {
		return "", err
	}
	link := []string{"-o", file, "-importcfg", config, "-buildmode=plugin", "-pluginpath=" + p.Path + "/main", "-s", "-w", "-buildid=", `-extld="` + b.ld + `"`}
	if _, err := b.output(b.command(filepath.Join(b.tools, "link"), append(link, main)...)); err != nil {
		os.Remove(file) // an interrupted linker leaves a part
		return "", fmt.Errorf("linking the cell: %w", err)
	}
	return file, nil
}

func (b *Builder) plugin(p *state.Package) string {
	return filepath.Join(b.Plugins, filepath.Base(p.Path)+".so")
}

// Loaded says that the session has the plugin of a cell: what is no longer needed is
// removed. All that stays is what later cells import.
func (b *Builder) Loaded(p *state.Package) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dir := filepath.Join(b.Work, filepath.Base(p.Path))
	os.Remove(b.plugin(p))
	if !p.Defines() {
		delete(b.cells, p.Path)
		os.RemoveAll(dir)
		return
	}
	for _, name := range []string{"main.a", "cell.go", "main.go", "importcfg"} {
		os.Remove(filepath.Join(dir, name))
	}
}

// compile compiles one package of one file. The lock is held.
func (b *Builder) compile(dir, name, path, source, archive string) error {
	config := filepath.Join(dir, "importcfg")
	if err := b.config(config); err != nil {
		return err
	}
	file := filepath.Join(dir, name+".go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return err
	}
	_, err := b.output(b.command(filepath.Join(b.tools, "compile"), "-o", archive, "-p", path, "-importcfg", config, "-dynlink", "-complete", "-pack", "-buildid=", "-trimpath", dir+"=>cells", file))
	return err
}
