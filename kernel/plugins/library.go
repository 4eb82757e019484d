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

// here reports whether a process can start with the library, also with none.
func (l *library) here() bool {
	if l == nil {
		return true
	}
	_, err := os.Stat(l.cached)
	return err == nil
}

// refusalTime is how long a library that could not be had is not tried again.
const refusalTime = 24 * time.Hour

// share takes the library from the cache or builds it; b.lib is nil if it cannot be had. The
// lock is held.
func (b *Builder) share() error {
	b.lib = nil
	name, err := b.libraryName()
	if err != nil {
		return err
	}
	l := &library{cached: filepath.Join(b.Cache, name), file: filepath.Join(b.Plugins, name)}
	if l.packages, err = packagesOf(l.cached); err != nil {
		refused := l.cached + refusal
		if info, err := os.Stat(refused); err == nil && time.Since(info.ModTime()) < refusalTime {
			return nil
		}
		compiled, err := b.makeLibrary(l)
		b.lib = nil
		switch {
		case err == nil:
			os.Remove(refused)
		case strings.Contains(err.Error(), "signal: killed") || b.ctx != nil && b.ctx.Err() != nil:
			return err // it says nothing of the library
		case !compiled:
			return nil // nor does this: what is wrong with sources shows without it too
		default:
			return os.WriteFile(refused, []byte(err.Error()), 0o600)
		}
	}
	if err := shim.Place(l.cached, l.file); err != nil {
		return err
	}
	b.lib = l
	return nil
}

const refusal = ".refused"

// libraryName is the name of the library's file, in which are Go, C compiler and sources.
func (b *Builder) libraryName() (string, error) {
	h := b.toolKey(shared)
	err := shim.StampOf(h.Write, b.Checkout, "kernel/live/host")
	return "libcells-" + hex.EncodeToString(h.Sum(nil)[:12]) + ".so", err
}

// makeLibrary links the library and tries it. It returns too whether the packages could be
// compiled. The lock is held.
func (b *Builder) makeLibrary(l *library) (compiled bool, err error) {
	dir, err := os.MkdirTemp(b.Cache, "libcells-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	b.lib = &library{} // none to link against yet, but packages are compiled for it
	in, with := map[string]string{}, map[string]string{}
	if err := b.list(in, shared); err != nil {
		return false, err
	}
	if err := b.list(with, []string{hostPackage, modulePackage}); err != nil {
		return false, err
	}
	l.packages = slices.Sorted(maps.Keys(in))
	config := filepath.Join(dir, "importcfg")
	if err := writeConfig(config, "packagefile", in); err != nil {
		return true, err
	}
	args := []string{"-buildmode=shared"}
	for _, p := range l.packages {
		args = append(args, p+"="+in[p])
	}
	made := filepath.Join(dir, filepath.Base(l.cached)) // its name becomes part of it
	if err := b.link(made, config, args...); err != nil {
		return true, fmt.Errorf("linking it: %w", err)
	}
	b.lib = &library{file: made, packages: l.packages}
	maps.Copy(with, in)
	if err := b.try(dir, with); err != nil {
		return true, err
	}
	return true, os.Rename(made, l.cached)
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

// Sharing says what the cells of a session share, as far as it was tried.
func (b *Builder) Sharing() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if b.cc, err = compiler(); err != nil {
		return "", err
	}
	name, err := b.libraryName()
	if err != nil {
		return "", err
	}
	file := filepath.Join(b.Cache, name)
	if _, err := packagesOf(file); err == nil {
		return "cells share " + file, nil
	}
	if why, err := os.ReadFile(file + refusal); err == nil {
		return fmt.Sprintf("each cell has a copy of the standard library, because a shared one cannot be had: %s", strings.TrimSpace(string(why))), nil
	}
	return "not tried yet", nil
}

// packagesOf returns the packages in a shared library, which the linker has noted in it.
func packagesOf(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	none := fmt.Errorf("%s lists no packages", file)
	note := f.Section(".note.go.pkg-list")
	if note == nil {
		return nil, none
	}
	data, err := note.Data()
	if err != nil || len(data) < 16 {
		return nil, none
	}
	size := f.ByteOrder.Uint32(data[4:]) // of what follows the head and the name "Go"
	return strings.Fields(string(data[16 : 16+min(int(size), len(data)-16)])), nil
}
