//go:build cgo

package backend

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/ensemble-metamers/metamers/metamerkit/backend/onednn"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// HasXLA says whether this binary was built with XLA (it needs cgo).
const HasXLA = true

func openXLA(k Kind) (*Backend, error) {
	path, err := FindPlugin(k)
	if err != nil {
		return nil, err
	}
	return openPlugin(k, path)
}

// openPlugin opens the plugin of a kind at path.
func openPlugin(k Kind, path string) (*Backend, error) {
	if err := loadable(path); err != nil {
		return nil, fmt.Errorf("backend: the plugin %s is damaged (%w): remove it and run `make setup`, or name another", path, err)
	}
	// go-xla tells a plugin's kind by its whole path.
	if k == XLA && pjrt.IsCUDAName(path) {
		return nil, fmt.Errorf("backend: go-xla takes %s for a CUDA plugin because of its path: set METAMERS_CACHE to a folder without cuda or nvidia in its path, and run `make setup`", path)
	}
	xla.EnableAutoInstall(false)
	config := path
	if k == CUDA {
		config += ",tf32=" + strconv.FormatBool(roundProducts())
		compileFast()
		useLibraries(libraries(path))
	} else if k == XLA && filepath.Base(filepath.Dir(path)) == pluginFolder(k) {
		fuseByXLA()
	}
	library, version := "", ""
	if k == XLA {
		var err error
		if library, version, err = oneDNN(path); err != nil {
			return nil, err
		}
	}
	notice, err := cacheCompiled(k, path, library)
	if err != nil {
		return nil, err
	}
	b, err := xla.NewWithOptions(config, options(k, path))
	if err != nil {
		how := "`make setup` brings version " + PluginVersion + ", which is known to work"
		if k == Named {
			how = "it needs the drivers and libraries of its device, and a version whose API go-xla knows"
		}
		if k == CUDA {
			how = "it needs an NVIDIA driver and the CUDA 13 libraries (`make setup-cuda` says which)"
			if GPU() == "" {
				how = "there is no NVIDIA GPU here, as nothing matches " + gpuDevices
			}
		}
		return nil, fmt.Errorf("backend: the plugin %s does not start: %s (%w)", path, how, err)
	}
	out := &Backend{Compute: b, Kind: k, Plugin: path, Version: PluginVersion, Notice: notice}
	if k == XLA && onednn.Ready() {
		out.OneDNN = version
	}
	return out, nil
}

// TF32Var lets a GPU round the factors of products and convolutions to 10 bits of
// mantissa, which is several times as fast: "1" does, anything else does not.
const TF32Var = "METAMERS_TF32"

// roundProducts reports whether TF32 is allowed. If not, it also tells NVIDIA's libraries,
// because GoMLX requests exact products but cannot request exact convolutions.
func roundProducts() bool {
	if os.Getenv(TF32Var) == "1" {
		return true
	}
	if os.Getenv("NVIDIA_TF32_OVERRIDE") == "" {
		os.Setenv("NVIDIA_TF32_OVERRIDE", "0")
	}
	return false
}

// compileFast sets what keeps XLA's compilations for a GPU short: products of matrices by
// cuBLAS, for trying Triton's variants took minutes (docs/gpu.md), and choices of kernels
// kept in the cache folder.
func compileFast() {
	setFlag("triton_gemm", "--xla_gpu_enable_triton_gemm=false")
	dir := filepath.Join(paths.Cache(), "autotune-"+CUDAPluginVersion)
	if !strings.ContainsAny(dir, " \t") && os.MkdirAll(dir, 0o755) == nil {
		setFlag("autotune_cache", "--xla_gpu_per_fusion_autotune_cache_dir="+dir)
	}
}

// fuseByXLA leaves elementwise operations to XLA on the CPU, whose plugin of our version
// gives them to YNNPACK; that makes a step of ConvNeXt a fifth slower (docs/notes/upstream.md).
// A plugin that does not know a flag ends the process, so others are not told.
func fuseByXLA() {
	setFlag("ynn_fusion_type", "--xla_cpu_experimental_ynn_fusion_type=individual_dot,individual_convolution")
}

// useLibraries names the folder of CUDA's libraries to XLA. go-xla does so only where it is
// beside the plugin's own folder, not where pip puts it, and warns that there is none.
func useLibraries(dir string) {
	if dir == "" || strings.ContainsAny(dir, " \t") {
		return
	}
	setFlag("xla_gpu_cuda_data_dir", "--xla_gpu_cuda_data_dir="+dir)
	if os.Getenv("GOPJRT_CUDA_CHECKS") == "" {
		os.Setenv("GOPJRT_CUDA_CHECKS", "no")
	}
}

// setFlag adds a flag of XLA unless the user's own XLA_FLAGS say something of it.
func setFlag(about, flag string) {
	flags := strings.Fields(os.Getenv("XLA_FLAGS"))
	if !strings.Contains(strings.Join(flags, " "), about) {
		os.Setenv("XLA_FLAGS", strings.Join(append(flags, flag), " "))
	}
}

// options are what the plugin's client is made with. The CPU plugin makes four
// devices by itself, and with them at least four threads: on two cores they get in
// each other's way.
func options(k Kind, path string) pjrt.NamedValuesMap {
	if k == XLA || k == Named && strings.HasPrefix(filepath.Base(path), "pjrt_c_api_cpu") {
		return pjrt.NamedValuesMap{"cpu_device_count": int64(1)}
	}
	return nil
}

// loadable checks that the file is a whole shared library, because the loader
// that comes after it writes its complaints to the standard error as well.
func loadable(path string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
