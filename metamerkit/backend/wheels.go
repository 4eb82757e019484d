package backend

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// untried are devices for which a Python wheel has a PJRT plugin that this project has not
// tried (docs/devices.md).
var untried = []struct {
	device, wheel string
	here          func() bool
}{
	{"an AMD GPU", "jax-rocm7-pjrt", func() bool { return matches(amdDevices) }},
	{"an Intel GPU", "jax-oneapi-pjrt", func() bool { return matches(renderDevices) && vendor(drmVendors, "0x8086") }},
	{"an Apple GPU", "jax-mps", func() bool { return runtime.GOOS == "darwin" && runtime.GOARCH == "arm64" }},
	{"an Arm CPU", "xla-cpu-pjrt", func() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "arm64" }},
}

// Files of Linux that say which devices a machine has.
var (
	amdDevices    = "/dev/kfd"
	renderDevices = "/dev/dri/renderD*"
	drmVendors    = "/sys/class/drm/renderD*/device/vendor"
)

func matches(pattern string) bool {
	found, _ := filepath.Glob(pattern)
	return len(found) > 0
}

// vendor reports whether one of the files has an ID.
func vendor(pattern, id string) bool {
	found, _ := filepath.Glob(pattern)
	for _, path := range found {
		if text, _ := os.ReadFile(path); strings.TrimSpace(string(text)) == id {
			return true
		}
	}
	return false
}

// wheels advises on the plugins of other devices that are here.
func (f *Findings) wheels() {
	for _, u := range untried {
		if HasXLA && u.here() {
			f.advise(u.device + ": the Python wheel " + u.wheel + " has a plugin, which this project has not tried: pip download --no-deps " + u.wheel + ", unzip it, then metamers doctor --check --backend plugin:FILE")
		}
	}
}
