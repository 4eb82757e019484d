package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// PluginVersion is the version of the XLA CPU plugin that `make setup` brings,
// CUDAPluginVersion that of the CUDA plugin that `make setup-cuda` brings.
const (
	PluginVersion     = "0.11.2"
	CUDAPluginVersion = "0.11.2"
)

// gpuDevices matches the device files of NVIDIA GPUs, one a card; the control
// files beside them (nvidiactl, nvidia-uvm) exist without a card as well.
var gpuDevices = "/dev/nvidia[0-9]*"

// GPUs returns the device files of the NVIDIA GPUs.
func GPUs() []string {
	found, err := filepath.Glob(gpuDevices)
	if err != nil {
		panic("backend: " + err.Error())
	}
	return found
}

// GPU returns the device file of the first NVIDIA GPU, "" if there is none.
func GPU() string {
	if found := GPUs(); len(found) > 0 {
		return found[0]
	}
	return ""
}

// gpuModels matches what the driver says of each GPU.
var gpuModels = "/proc/driver/nvidia/gpus/*/information"

// gpuModel returns the model of the first GPU that the driver names, or instead.
func gpuModel(instead string) string {
	found, _ := filepath.Glob(gpuModels)
	for _, path := range found {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if model, ok := strings.CutPrefix(line, "Model:"); ok {
				return strings.TrimSpace(model)
			}
		}
	}
	return instead
}

// Places returns the paths at which a kind's plugin is looked for, in order: the
// folders of PJRT_PLUGIN_LIBRARY_PATH, then the Python packages that pip has installed
// beside this program, then the cache. It panics for kinds that have no plugin.
func Places(k Kind) []string {
	var files []string // the first is what `make setup` writes
	var site []string
	switch k {
	case XLA:
		files = []string{"pjrt_c_api_cpu_plugin.so"}
		site = paths.Site("lammps_jax_pjrt_cpu", files[0])
	case CUDA:
		files = []string{"xla_cuda_plugin.so", "pjrt_c_api_cuda_plugin.so"}
		site = paths.Site("jax_plugins", "xla_cuda13", files[0])
	default:
		panic(fmt.Sprintf("backend: %q has no plugin", k))
	}
	var out []string
	for _, d := range filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH")) {
		if d == "" {
			continue
		}
		for _, f := range files {
			out = append(out, filepath.Join(d, f))
		}
	}
	return append(append(out, site...), filepath.Join(paths.Cache(), "plugins", pluginFolder(k), files[0]))
}

// pluginFolder is the name of the folder that `make setup` makes for a kind's plugin of
// the version that is known to work.
func pluginFolder(k Kind) string {
	if k == CUDA {
		return "pjrt-cuda13-" + CUDAPluginVersion
	}
	return "pjrt-cpu-" + PluginVersion
}

// libraries returns the folder nvidia in which a CUDA plugin looks for CUDA's libraries, ""
// if there is none: in the folder of its folder, as in the cache, or one above, as pip has it.
func libraries(plugin string) string {
	dir := filepath.Dir(filepath.Dir(plugin))
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if matches(filepath.Join(d, "nvidia", "*", "lib", "*.so*")) {
			return filepath.Join(d, "nvidia")
		}
	}
	return ""
}

// FindPlugin returns the path of a kind's plugin, or an error that says where it
// was looked for and how to get it.
func FindPlugin(k Kind) (string, error) {
	for _, p := range Places(k) {
		if s, err := os.Stat(p); err == nil && s.Mode().IsRegular() {
			return filepath.Abs(p)
		}
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("backend: no %s plugin at %v, and none is published for %s/%s", k, Places(k), runtime.GOOS, runtime.GOARCH)
	}
	how := "`make setup` brings it, or pip install metamers"
	if k == CUDA {
		how = "`make setup-cuda` brings it, or pip install \"metamers[cuda13]\""
	}
	return "", fmt.Errorf("backend: no %s plugin at %v: %s", k, Places(k), how)
}
