package backend

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestSurveyOfABareMachine(t *testing.T) {
	cache := bare(t)
	data := filepath.Join(t.TempDir(), "not", "there")
	t.Setenv("METAMERS_DATA", data)
	f := Survey(Auto)
	if f.Kind != Go || f.Computes == "" || len(f.Devices) == 0 {
		t.Errorf("backend %q, %q, devices %q", f.Kind, f.Computes, f.Devices)
	}
	if f.XLA != HasXLA || f.Cores != runtime.NumCPU() || !strings.HasPrefix(runtime.Version(), f.GoVersion) {
		t.Errorf("program: %+v", f)
	}
	for _, p := range f.Plugins {
		if p.Path != "" || len(p.Looked) == 0 || p.Version == "" {
			t.Errorf("plugin %+v", p)
		}
	}
	advice := strings.Join(f.Advice, "\n")
	if !strings.Contains(advice, mend(XLA)) {
		t.Errorf("advice %q does not mention %q", advice, mend(XLA))
	}
	if strings.Contains(advice, "cuda") {
		t.Errorf("advice about CUDA on a machine without a GPU: %q", advice)
	}
	if c := f.Folders[0]; c.Use != "cache" || c.Path != cache || !c.Exists || c.Free == 0 {
		t.Errorf("cache folder %+v", c)
	}
	if d := f.Folders[1]; d.Use != "data" || d.Path != data || d.Exists || d.Free == 0 {
		t.Errorf("data folder %+v", d)
	}
}

func TestSurveyWithGPUAdvisesThePlugin(t *testing.T) {
	if !HasXLA {
		t.Skip("built without cgo: no plugin could be loaded")
	}
	bare(t)
	withGPU(t, true)
	f := Survey(Auto)
	if len(f.GPUs) != 1 {
		t.Errorf("GPUs %q", f.GPUs)
	}
	if advice := strings.Join(f.Advice, "\n"); !strings.Contains(advice, mend(CUDA)) {
		t.Errorf("advice %q does not mention %q", advice, mend(CUDA))
	}
}

// A CUDA plugin without a GPU is named, with CUDA's libraries, and advice says why it is idle.
func TestSurveyWithCUDAButNoGPU(t *testing.T) {
	cache := bare(t)
	places := Places(CUDA)
	plugin := places[len(places)-1]
	write(t, plugin, nil)
	library := filepath.Join(cache, "plugins", "nvidia", "cu13", "lib", "libcudart.so.13")
	for _, want := range []string{"", filepath.Join(cache, "plugins", "nvidia")} {
		f := Survey(Go)
		if i := slices.IndexFunc(f.Plugins, func(p Plugin) bool { return p.Kind == CUDA }); f.Plugins[i].Path != plugin || f.Plugins[i].Libraries != want {
			t.Errorf("plugin %+v, want %s with libraries %q", f.Plugins[i], plugin, want)
		}
		if advice := strings.Join(f.Advice, "\n"); !strings.Contains(advice, "there is no NVIDIA GPU here") {
			t.Errorf("advice %q does not say that there is no GPU", advice)
		}
		write(t, library, nil)
	}
}

func TestSurveyOfAnImpossibleWish(t *testing.T) {
	bare(t)
	f := Survey(XLA)
	if f.Kind != "" || len(f.Advice) != 1 {
		t.Errorf("kind %q, advice %q; want none open and one line", f.Kind, f.Advice)
	}
}

// A device whose plugin this project has not tried is named with the wheel that has one.
func TestSurveyNamesWheels(t *testing.T) {
	if !HasXLA {
		t.Skip("this program cannot load plugins")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"kfd": "", "renderD128": "", "vendor": "0x8086\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	defer func(a, r, v string) { amdDevices, renderDevices, drmVendors = a, r, v }(amdDevices, renderDevices, drmVendors)
	amdDevices, renderDevices, drmVendors = filepath.Join(dir, "kfd"), filepath.Join(dir, "renderD*"), filepath.Join(dir, "vendor")
	advice := strings.Join(Survey(Go).Advice, "\n")
	for _, wheel := range []string{"jax-rocm7-pjrt", "jax-oneapi-pjrt"} {
		if !strings.Contains(advice, "pip download --no-deps "+wheel) {
			t.Errorf("no advice names %s:\n%s", wheel, advice)
		}
	}
	amdDevices, renderDevices = filepath.Join(dir, "none"), filepath.Join(dir, "none")
	if advice := strings.Join(Survey(Go).Advice, "\n"); strings.Contains(advice, "jax-rocm7") || strings.Contains(advice, "jax-oneapi") {
		t.Errorf("advice on devices that are not here:\n%s", advice)
	}
}
