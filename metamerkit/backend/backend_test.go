package backend

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// bare gives the test a machine with an empty cache and no wishes.
func bare(t *testing.T) (cache string) {
	t.Helper()
	cache = t.TempDir()
	t.Setenv("METAMERS_CACHE", cache)
	t.Setenv("METAMERS_DATA", "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", "")
	t.Setenv(EnvVar, "")
	withGPU(t, false)
	return cache
}

// withGPU replaces the device files of the machine.
func withGPU(t *testing.T, here bool) {
	t.Helper()
	dir := t.TempDir()
	if here {
		write(t, filepath.Join(dir, "nvidia0"), nil)
	}
	old := gpuDevices
	gpuDevices = filepath.Join(dir, "nvidia[0-9]*")
	t.Cleanup(func() { gpuDevices = old })
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pluginHere returns XLA's plugin for the CPU, which set-up brings. It skips builds that
// cannot load one.
func pluginHere(t *testing.T) string {
	t.Helper()
	if !HasXLA {
		t.Skip("built without cgo: no plugin can be loaded")
	}
	path, err := FindPlugin(XLA)
	if err != nil {
		pathstest.Missing(t, "no XLA on the CPU here: %v", err)
	}
	return path
}

// mentions fails unless the text is one line that holds all the words.
func mentions(t *testing.T, text string, words ...string) {
	t.Helper()
	if strings.Contains(text, "\n") {
		t.Errorf("more than one line: %q", text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not mention %q", text, w)
		}
	}
}

// mend is what a message must say about the missing plugin of a kind.
func mend(k Kind) string {
	switch {
	case !HasXLA:
		return "cgo"
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		return "none is published"
	case k == CUDA:
		return "make setup-cuda"
	}
	return "make setup"
}

func TestAutoFallsBackToGoAndSaysSo(t *testing.T) {
	bare(t)
	for _, want := range []Kind{"", Auto} {
		b, err := Open(want)
		if err != nil {
			t.Fatal(err)
		}
		if b.Kind != Go || b.Plugin != "" || b.Compute == nil {
			t.Errorf("Open(%q) = %+v, want the pure-Go backend", want, b)
		}
		mentions(t, b.Notice, "slower than XLA", mend(XLA))
	}
}

func TestGoAskedForByNameNeedsNoNotice(t *testing.T) {
	bare(t)
	b, err := Open(Go)
	if err != nil {
		t.Fatal(err)
	}
	if b.Kind != Go || b.Notice != "" || b.Loops() {
		t.Errorf("Open(Go) = %+v, loops %v", b, b.Loops())
	}
}

func TestWishThatCannotBeMetIsAnError(t *testing.T) {
	cache := bare(t)
	for _, k := range []Kind{XLA, CUDA} {
		b, err := Open(k)
		if err == nil {
			t.Fatalf("Open(%s) = %+v without a plugin", k, b)
		}
		mentions(t, err.Error(), string(k), mend(k))
		if HasXLA {
			mentions(t, err.Error(), cache)
		}
	}
}

func TestEnvironmentChoosesUnlessTheCallerDoes(t *testing.T) {
	bare(t)
	t.Setenv(EnvVar, "go")
	if b, err := Open(""); err != nil || b.Kind != Go || b.Notice != "" {
		t.Errorf("with %s=go: %+v, %v", EnvVar, b, err)
	}
	if b, err := Open(XLA); err == nil {
		t.Errorf("Open(xla) with %s=go = %+v, want an error", EnvVar, b)
	}
	t.Setenv(EnvVar, "xla")
	if b, err := Open(""); err == nil {
		t.Errorf("with %s=xla and no plugin: %+v, want an error", EnvVar, b)
	}
	if b, err := Open(Auto); err != nil || b.Kind != Go {
		t.Errorf("Open(auto) with %s=xla: %+v, %v", EnvVar, b, err)
	}
	t.Setenv(EnvVar, "xal")
	_, err := Open("")
	if err == nil {
		t.Fatal("no error for an unknown backend")
	}
	mentions(t, err.Error(), "xal", "xla")
}

func TestDamagedPlugin(t *testing.T) {
	if !HasXLA {
		t.Skip("built without cgo: plugins cannot be loaded")
	}
	bare(t)
	path := Places(XLA)[0]
	write(t, path, []byte("not a shared object"))
	_, err := Open(XLA)
	if err == nil {
		t.Fatal("a text file was loaded as a plugin")
	}
	mentions(t, oneLine(err), path, "make setup")
	b, err := Open(Auto)
	if err != nil {
		t.Fatal(err)
	}
	if b.Kind != Go {
		t.Errorf("Open(auto) with a damaged plugin: %s", b.Kind)
	}
	mentions(t, b.Notice, path, "slower")
}

func TestPathThatLooksLikeCUDA(t *testing.T) {
	cpu := pluginHere(t)
	bare(t)
	dir := filepath.Join(t.TempDir(), "home", "nvidia")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cpu, filepath.Join(dir, filepath.Base(cpu))); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	_, err := Open(XLA)
	if err == nil {
		t.Fatal("go-xla now loads such a plugin: drop the check")
	}
	mentions(t, err.Error(), dir, "METAMERS_CACHE")
}

func TestGPUWithoutPlugin(t *testing.T) {
	cpu := pluginHere(t)
	bare(t)
	withGPU(t, true)
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Dir(cpu))
	b, err := Open(Auto)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Compute.Finalize()
	if b.Kind != XLA || b.Plugin != cpu {
		t.Errorf("Open(auto) = %s %s, want xla %s", b.Kind, b.Plugin, cpu)
	}
	mentions(t, b.Notice, "GPU", "make setup-cuda")
}

func TestPlacesInOrder(t *testing.T) {
	cache := bare(t)
	first, second := t.TempDir(), t.TempDir()
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", first+string(os.PathListSeparator)+string(os.PathListSeparator)+second)
	const file = "pjrt_c_api_cpu_plugin.so"
	places := []string{filepath.Join(first, file), filepath.Join(second, file), filepath.Join(cache, "plugins", "pjrt-cpu-"+PluginVersion, file)}
	if got := Places(XLA); strings.Join(got, "\n") != strings.Join(places, "\n") {
		t.Fatalf("Places(xla) = %q, want %q", got, places)
	}
	// The last place is filled first, so that each new one must win.
	for i := len(places) - 1; i >= 0; i-- {
		write(t, places[i], nil)
		if got, err := FindPlugin(XLA); err != nil || got != places[i] {
			t.Errorf("FindPlugin = %q, %v, want %q", got, err, places[i])
		}
	}
	if err := os.Remove(places[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(places[0], 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := FindPlugin(XLA); err != nil || got != places[1] {
		t.Errorf("with a folder at %s: FindPlugin = %q, %v", places[0], got, err)
	}
}

// What set-up brings is what Open looks for.
func TestSetupAgreesOnVersions(t *testing.T) {
	for file, pin := range map[string]string{
		"plugins.txt":      "lammps-jax-pjrt-cpu==" + PluginVersion + " ",
		"plugins-cuda.txt": "jax-cuda13-pjrt==" + CUDAPluginVersion + " ",
		"onednn.txt":       "onednn-cpu-gomp==" + OneDNNVersion + " ",
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", "scripts", file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(pin)) {
			t.Errorf("scripts/%s does not pin %q:\n%s", file, pin, text)
		}
	}
}

// The CPU is one device: each further one is a thread of its own that competes
// for the cores.
func TestOneDevice(t *testing.T) {
	pluginHere(t)
	b, err := Open(XLA)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Compute.Finalize()
	if n := b.Compute.NumDevices(); n != 1 {
		t.Errorf("XLA on the CPU has %d devices, expected 1", n)
	}
}

// A file with oneDNN that cannot be read is an error, also where pure Go would do.
func TestNamedOneDNNIsMissing(t *testing.T) {
	t.Setenv(OneDNNVar, "/nosuch")
	if _, err := Open(Auto); err == nil || !strings.Contains(err.Error(), `METAMERS_ONEDNN is "/nosuch"`) {
		t.Errorf("error %v, expected one that names the setting", err)
	}
}

func TestSafeVectors(t *testing.T) {
	if err := safeVectors("go1.27.2"); err != nil {
		t.Error(err)
	}
	if err := safeVectors("go1.27.2-X:nogreenteagc,simd"); err == nil || !strings.Contains(err.Error(), "GOEXPERIMENT=simd") {
		t.Errorf("a compiler with the experiment: %v", err)
	}
}
