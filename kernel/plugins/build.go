package plugins

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/kernel/state"
)

// wrapper is the main package of a plugin, by which the host finds the cell.
const wrapper = `package main

import (
	c %[1]q
	_ %[3]q
)

func Cell() (define, run func(), defined func() []bool, pointers func() []any) {
	return c.%[2]sDefine, c.%[2]sRun, c.%[2]sDefined, c.%[2]sPointers
}

func main() {}
`

// Build compiles the package of a cell and links it as a plugin.
func (b *Builder) Build(p *state.Package) (file string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	file = b.plugin(p)
	if _, err := os.Stat(file); err == nil && b.cells[p.Path] != "" {
		return file, nil
	}
	return file, b.build(filepath.Join(b.Work, filepath.Base(p.Path)), p.Path, p.Source, file)
}

// build makes a plugin of the package of a cell. The lock is held.
func (b *Builder) build(dir, path, source, file string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	archive := filepath.Join(dir, "cell.a")
	if err := b.compile(dir, "cell", path, source, archive); err != nil {
		return err
	}
	b.cells[path] = archive
	also := "runtime"
	if b.lib != nil {
		also = modulePackage
	}
	main := filepath.Join(dir, "main.a")
	if err := b.compile(dir, "main", path+"/main", fmt.Sprintf(wrapper, path, state.Mark, also), main); err != nil {
		return err
	}
	if err := b.link(file, filepath.Join(dir, "importcfg"), "-buildmode=plugin", "-pluginpath="+path+"/main", main); err != nil {
		return fmt.Errorf("linking the cell: %w", err)
	}
	return nil
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
	args := []string{"-o", archive, "-p", path, "-importcfg", config, "-dynlink", "-complete", "-pack", "-buildid=", "-trimpath", dir + "=>cells"}
	if b.lib != nil {
		args = append(args, "-linkshared")
	}
	_, err := b.output(b.command(filepath.Join(b.tools, "compile"), append(args, file)...))
	return err
}

// link calls the linker. If there is a library, it links against it and adds the library's
// packages to the configuration; the file finds the library in its own folder. The lock is held.
func (b *Builder) link(file, config string, args ...string) error {
	all := []string{"-o", file, "-importcfg", config, "-s", "-w", "-buildid=", `-extld="` + b.ld + `"`}
	if b.lib != nil {
		all = append(all, "-checklinkname=0") // packages library and module are the run-time's here
		if b.lib.file != "" {
			all = append(all, "-linkshared", "-r=$ORIGIN")
			in := map[string]string{}
			for _, p := range b.lib.packages {
				in[p] = b.lib.file
			}
			if err := writeConfig(config, "packageshlib", in); err != nil {
				return err
			}
		}
	}
	if _, err := b.output(b.command(filepath.Join(b.tools, "link"), append(all, args...)...)); err != nil {
		os.Remove(file) // an interrupted linker leaves a part
		return err
	}
	return nil
}

// writeConfig adds lines to a configuration of compiler and linker.
func writeConfig(file, verb string, packages map[string]string) error {
	var s strings.Builder
	for _, p := range slices.Sorted(maps.Keys(packages)) {
		fmt.Fprintf(&s, "%s %s=%s\n", verb, p, packages[p])
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.String())
	return errors.Join(err, f.Close())
}
