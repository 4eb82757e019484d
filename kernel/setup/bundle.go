package setup

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ulikunitz/xz"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// executable is this program's file, links followed.
var executable = sync.OnceValue(func() string {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return ""
	}
	return self
})

// bundle is the archive that a wheel brings beside the kernel (scripts/wheel.py): the
// module's sources, those of the modules that cells link, and the tools. Its name has
// its checksum.
var bundle = sync.OnceValue(func() string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(executable()), "..", "share", "metamers", "kernel-*.zip"))
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
})

// Bundled reports whether the kernel came in a wheel, with all that it needs but Go, a C
// compiler and Jupyter.
func Bundled() bool { return bundle() != "" }

// bundleDir is where the archive is unpacked.
func bundleDir() string {
	root, err := filepath.Abs(filepath.Join(paths.Cache(), "kernel"))
	if err != nil {
		root = filepath.Join(paths.Cache(), "kernel")
	}
	return filepath.Join(root, strings.TrimSuffix(filepath.Base(bundle()), ".zip"))
}

// Unpacked reports whether the wheel's archive has been unpacked, or there is no wheel.
func Unpacked() bool {
	if !Bundled() {
		return true
	}
	_, err := os.Stat(bundleDir())
	return err == nil
}

// Unpack makes what the wheel brought ready: it unpacks the archive, if that has not
// been done, and has this process and what it starts use the sources, the Go toolchain
// and the compiler that pip installed. Without a wheel it does nothing.
func Unpack() error {
	if !Bundled() {
		return nil
	}
	dir := bundleDir()
	if !Unpacked() {
		if err := step("unpacking the sources for cells", func() error { return unpack(dir) }); err != nil {
			return err
		}
	}
	bin := filepath.Dir(executable())
	before := append(paths.Site("go", "bin"), bin)
	os.Setenv("PATH", strings.Join(append(before, os.Getenv("PATH")), string(filepath.ListSeparator)))
	os.Setenv("GOMODCACHE", filepath.Join(dir, "modules"))
	os.Setenv("GOTOOLCHAIN", "local")
	if os.Getenv("CC") == "" && !anyFound("gcc", "clang", "cc") {
		if zig := filepath.Join(bin, "python-zig"); anyFound(zig) {
			os.Setenv("CC", zig+" cc")
		}
	}
	if os.Getenv("PJRT_PLUGIN_LIBRARY_PATH") == "" { // for engines inside a cell
		plugins := append(paths.Site("lammps_jax_pjrt_cpu"), paths.Site("jax_plugins", "xla_cuda13")...)
		os.Setenv("PJRT_PLUGIN_LIBRARY_PATH", strings.Join(plugins, string(filepath.ListSeparator)))
	}
	return nil
}

func anyFound(programs ...string) bool {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			return true
		}
	}
	return false
}

// unpack unpacks the archive into dir, which gets its name when it is whole. The weights
// and photographs that sources embed come out of the program metamers, which has them.
func unpack(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	z, err := zip.OpenReader(bundle())
	if err != nil {
		return fmt.Errorf("%s: %w", bundle(), err)
	}
	defer z.Close()
	for _, f := range z.File {
		if err := unpackFile(f, tmp); err != nil {
			return fmt.Errorf("%s: %w", bundle(), err)
		}
	}
	metamers := filepath.Join(filepath.Dir(executable()), "metamers")
	if err := run("", nil, metamers, "carried", filepath.Join(tmp, "sources")); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there != nil { // nor has another process done it
			return err
		}
	}
	return nil
}

func unpackFile(f *zip.File, dir string) error {
	if !filepath.IsLocal(f.Name) {
		return fmt.Errorf("%s is not a path inside the archive", f.Name)
	}
	name, packed := strings.CutSuffix(f.Name, ".xz")
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	var from io.Reader = r
	if packed {
		if from, err = xz.NewReader(r); err != nil {
			return err
		}
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	return errors.Join(err, w.Close())
}

// ownNotebooks copies the notebooks that the wheel brought into the working folder, once,
// and returns their folder.
func ownNotebooks(from string) (string, error) {
	const to = "metamers-notebooks"
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	say("the notebooks are copied to the folder %s", to)
	return to, os.CopyFS(to, os.DirFS(from))
}
