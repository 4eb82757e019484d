package plugins

import (
	"debug/elf"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/shim"
)

// The process of a session and its plugins share one library with the most used packages
// of the standard library. Without it each plugin has a copy of all that it imports, the
// run-time and its types too, and Go compares the types of a plugin that is loaded with
// those of all others: a notebook would get larger and slower with each cell.
//
// The library is built and tried once for a Go version and a C compiler, and kept in the
// cache. Where that fails each plugin has its copy.

const (
	hostPackage    = module + "kernel/live/host"
	libraryPackage = hostPackage + "/library"
	modulePackage  = hostPackage + "/module"
)

// shared are the packages of the library, besides those that they import. The linker reads
// the names of the whole library for each cell: more packages take more of its time than
// plugins that have them.
var shared = append(strings.Fields(`bufio bytes cmp context errors flag fmt io maps math math/rand math/rand/v2 os path/filepath plugin reflect regexp
	runtime/cgo runtime/debug slices sort strconv strings sync sync/atomic time unicode`), libraryPackage)

// A library is what the process of a session and its plugins share.
type library struct {
	cached   string   // in the cache, beside the process
	file     string   // the same in the folder of the session, where nobody removes it
	packages []string // that are in it
}

// here reports whether the library is whole in the cache.
func (l *library) here() bool {
	f, err := elf.Open(l.cached) // reads the file's end
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// refusalTime is how long a library that could not be had is not tried again.
const refusalTime = 24 * time.Hour

// share takes the library from the cache or builds it; b.lib is nil if it cannot be had. The
// lock is held.
func (b *Builder) share() error {
	b.lib = nil
	in, all := map[string]string{}, map[string]string{}
	if err := b.listShared(in, shared); err != nil {
		return b.unlessEnded(err) // what is wrong with sources or module files shows without it too
	}
	name, err := b.libraryName(in)
	if err != nil {
		return err
	}
	l := &library{cached: filepath.Join(b.Cache, name), file: filepath.Join(b.Plugins, name), packages: slices.Sorted(maps.Keys(in))}
	if !l.here() {
		refused := strings.TrimSuffix(l.cached, ".so") + refusal
		if info, err := os.Stat(refused); err == nil && time.Since(info.ModTime()) < refusalTime {
			return nil
		}
		if err := b.listShared(all, append([]string{hostPackage, modulePackage}, shared...)); err != nil {
			return b.unlessEnded(err)
		}
		if err := b.makeLibrary(l, all); err != nil {
			if ended := b.unlessEnded(err); ended != nil {
				return ended
			}
			return os.WriteFile(refused, []byte(err.Error()), 0o600)
		}
		os.Remove(refused)
	}
	if err := shim.Place(l.cached, l.file); err != nil {
		return err
	}
	b.lib = l
	return nil
}

// listShared lists packages as they are compiled to be linked with a library, before there is
// one. The lock is held.
func (b *Builder) listShared(to map[string]string, paths []string) error {
	b.lib = &library{}
	defer func() { b.lib = nil }()
	return b.list(to, paths)
}

// unlessEnded returns the error of a command that was ended from outside, which says nothing
// of the library, and no other.
func (b *Builder) unlessEnded(err error) error {
	if strings.Contains(err.Error(), "signal: killed") || b.ctx != nil && b.ctx.Err() != nil {
		return err
	}
	return nil
}

// libraryName is the name of the file of a library of packages: by what they are, how they are
// linked, and how the library is tried.
func (b *Builder) libraryName(in map[string]string) (string, error) {
	h := b.toolKey(nil)
	for _, p := range slices.Sorted(maps.Keys(in)) {
		fmt.Fprintf(h, "%s=%s\n", p, in[p]) // the go command names files by their contents
	}
	err := shim.StampOf(h.Write, b.Checkout, "kernel/live/host")
	return libraryPrefix + hex.EncodeToString(h.Sum(nil)[:12]) + ".so", err
}

const libraryPrefix, refusal = "libcells-", ".refused"

// makeLibrary links a library and tries it with the other packages. The lock is held.
func (b *Builder) makeLibrary(l *library, all map[string]string) error {
	defer func() { b.lib = nil }()
	dir, err := os.MkdirTemp(b.Plugins, "library-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "importcfg")
	if err := writeConfig(config, "packagefile", all); err != nil {
		return err
	}
	args := []string{"-buildmode=shared"}
	for _, p := range l.packages {
		args = append(args, p+"="+all[p])
	}
	made := filepath.Join(dir, filepath.Base(l.cached)) // its name becomes part of it
	b.lib = &library{}
	if err := b.link(made, config, args...); err != nil {
		return fmt.Errorf("linking it: %w", err)
	}
	b.lib = &library{file: made, packages: l.packages}
	if err := b.try(dir, all); err != nil {
		return err
	}
	return shim.Place(made, l.cached)
}

// linkHost links the program of a session, of packages, against the library. The lock is held.
func (b *Builder) linkHost(file string, packages map[string]string) error {
	config := file + ".cfg"
	defer os.Remove(config)
	if err := writeConfig(config, "packagefile", packages); err != nil {
		return err
	}
	return b.link(file, config, packages[hostPackage])
}

// Sharing says what the cells of sessions share that had this cache, the last one's.
func Sharing(cache string) string {
	var last os.FileInfo
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), libraryPrefix) && (last == nil || info.ModTime().After(last.ModTime())) {
			last = info
		}
	}
	if last == nil {
		return "none ran yet"
	}
	file := filepath.Join(cache, last.Name())
	if filepath.Ext(file) != refusal {
		return "cells share " + file
	}
	why, _ := os.ReadFile(file)
	return fmt.Sprintf("each cell has a copy of the standard library, because a shared one cannot be had: %s", strings.TrimSpace(string(why)))
}
