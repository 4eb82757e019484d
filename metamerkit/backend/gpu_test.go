//go:build cgo

package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompileFastKeepsTheUsersFlags(t *testing.T) {
	cache := bare(t)
	kept := "--xla_gpu_per_fusion_autotune_cache_dir=" + filepath.Join(cache, "autotune-"+CUDAPluginVersion)
	for given, want := range map[string]string{
		"":                                   "--xla_gpu_enable_triton_gemm=false " + kept,
		"--xla_dump_to=/x":                   "--xla_dump_to=/x --xla_gpu_enable_triton_gemm=false " + kept,
		"--xla_gpu_enable_triton_gemm=true ": "--xla_gpu_enable_triton_gemm=true " + kept,
		"--xla_gpu_per_fusion_autotune_cache_dir=/y": "--xla_gpu_per_fusion_autotune_cache_dir=/y --xla_gpu_enable_triton_gemm=false",
	} {
		t.Setenv("XLA_FLAGS", given)
		for range 2 { // a second backend adds nothing
			if compileFast(); os.Getenv("XLA_FLAGS") != want {
				t.Errorf("with %q: %q, want %q", given, os.Getenv("XLA_FLAGS"), want)
			}
		}
	}
	t.Setenv("METAMERS_CACHE", filepath.Join(cache, "with a space"))
	t.Setenv("XLA_FLAGS", "")
	if compileFast(); strings.Contains(os.Getenv("XLA_FLAGS"), "space") {
		t.Errorf("XLA splits %q at the space", os.Getenv("XLA_FLAGS"))
	}
}

func TestFuseByXLAKeepsTheUsersFlags(t *testing.T) {
	const ours = "--xla_cpu_experimental_ynn_fusion_type=individual_dot,individual_convolution"
	for given, want := range map[string]string{
		"": ours, "--xla_dump_to=/x": "--xla_dump_to=/x " + ours, "--xla_cpu_experimental_ynn_fusion_type=": "--xla_cpu_experimental_ynn_fusion_type=",
	} {
		t.Setenv("XLA_FLAGS", given)
		for range 2 {
			if fuseByXLA(); os.Getenv("XLA_FLAGS") != want {
				t.Errorf("with %q: %q, want %q", given, os.Getenv("XLA_FLAGS"), want)
			}
		}
	}
}

func TestProductsAreExactUnlessAsked(t *testing.T) {
	for _, c := range []struct{ asked, given, want string }{{"", "", "0"}, {"1", "", ""}, {"", "1", "1"}, {"0", "", "0"}} {
		t.Setenv(TF32Var, c.asked)
		t.Setenv("NVIDIA_TF32_OVERRIDE", c.given)
		if got := roundProducts(); got != (c.asked == "1") || os.Getenv("NVIDIA_TF32_OVERRIDE") != c.want {
			t.Errorf("%+v: %v, NVIDIA_TF32_OVERRIDE=%q", c, got, os.Getenv("NVIDIA_TF32_OVERRIDE"))
		}
	}
}

func TestDeviceIsTheGPUsModel(t *testing.T) {
	old := gpuModels
	t.Cleanup(func() { gpuModels = old })
	gpuModels = filepath.Join(t.TempDir(), "*", "information")
	if got := gpuModel("/dev/nvidia0"); got != "/dev/nvidia0" {
		t.Errorf("%q where the driver says nothing", got)
	}
	// As /proc/driver/nvidia/gpus/0000:00:06.0/information has it.
	write(t, strings.Replace(gpuModels, "*", "0000:00:06.0", 1), []byte("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 41\n"))
	if got := gpuModel("/dev/nvidia0"); got != "NVIDIA H100 80GB HBM3" {
		t.Errorf("%q", got)
	}
	if got := (&Backend{Kind: Go}).Device(); !strings.Contains(got, "CPU core") {
		t.Errorf("%q", got)
	}
}
