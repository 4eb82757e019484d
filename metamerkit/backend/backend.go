// Package backend chooses what computes: XLA on a GPU, XLA on the CPU, or the
// pure-Go backend. Nothing is ever downloaded here; `make setup` brings plugins.
package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// Kind is a way to compute.
type Kind string

// The kinds of backend.
const (
	Auto Kind = "auto" // CUDA if there is a GPU and a plugin, else XLA, else Go
	CUDA Kind = "cuda" // XLA on an NVIDIA GPU
	XLA  Kind = "xla"  // XLA on the CPU
	Go   Kind = "go"   // the pure-Go backend, which needs nothing installed
)

// Kinds lists what Open takes.
var Kinds = []string{string(Auto), string(CUDA), string(XLA), string(Go)}

// EnvVar overrides Auto.
const EnvVar = "METAMERS_BACKEND"

// PluginVersion is the version of the XLA CPU plugin that `make setup` brings.
const PluginVersion = "0.11.2"

// Backend is an open backend.
//
// GoMLX compares backends by identity, so that Backend does not embed Compute:
// a wrapper would be another backend than the one that tensors come back with.
type Backend struct {
	Compute compute.Backend
	Kind    Kind
	Plugin  string // path of the PJRT plugin, "" for Go
	Notice  string // one line when a faster backend could be had, else ""
}

// Loops reports whether many steps belong in one graph.While. On a GPU that saves
// a launch a step. On the CPU XLA's convolutions are about eight times slower
// inside a While than outside (docs/upstream.md), and on the Go backend a body
// that computes a gradient fails at run time: there each step is one call.
func (b *Backend) Loops() bool { return b.Kind == CUDA }

// Open opens the backend that is wanted; "" means METAMERS_BACKEND, else Auto. A
// kind that is asked for by name and cannot be had is an error; Auto falls back
// and says so in Notice.
func Open(want Kind) (*Backend, error) {
	if want == "" {
		want = Kind(os.Getenv(EnvVar))
	}
	switch want {
	case "", Auto:
		return auto()
	case CUDA, XLA:
		return openXLA(want)
	case Go:
		return openGo()
	}
	return nil, fmt.Errorf("backend: %w", metamer.Unknown("backend", string(want), Kinds))
}

func auto() (*Backend, error) {
	var cudaErr error
	if GPU() != "" {
		b, err := openXLA(CUDA)
		if err == nil {
			return b, nil
		}
		cudaErr = err
	}
	b, err := openXLA(XLA)
	if err != nil {
		if b, e := openGo(); e == nil {
			b.Notice = fmt.Sprintf("computing on the pure-Go backend, several times slower than XLA (%v)", err)
			return b, nil
		}
		return nil, err
	}
	if cudaErr != nil {
		b.Notice = fmt.Sprintf("a GPU is there but not used: %v", cudaErr)
	}
	return b, nil
}

func openGo() (*Backend, error) {
	b, err := gobackend.New("")
	if err != nil {
		return nil, fmt.Errorf("backend: pure Go: %w", err)
	}
	return &Backend{Compute: b, Kind: Go}, nil
}

// GPU returns the device file of the first NVIDIA GPU, "" if there is none.
func GPU() string {
	found, _ := filepath.Glob("/dev/nvidia[0-9]*")
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// Places returns the paths at which a kind's plugin is looked for, in order.
func Places(k Kind) []string {
	file, folder := "pjrt_c_api_cpu_plugin.so", "pjrt-cpu-"+PluginVersion
	if k == CUDA {
		file, folder = "xla_cuda_plugin.so", "pjrt-cuda"
	}
	var out []string
	for _, d := range filepath.SplitList(os.Getenv("PJRT_PLUGIN_LIBRARY_PATH")) {
		out = append(out, filepath.Join(d, file))
	}
	return append(out, filepath.Join(place.Cache(), "plugins", folder, file))
}

// FindPlugin returns the path of a kind's plugin, or an error that says where it
// was looked for and how to get it.
func FindPlugin(k Kind) (string, error) {
	if k == XLA && (runtime.GOOS != "linux" || runtime.GOARCH != "amd64") {
		return "", fmt.Errorf("backend: there is no XLA CPU plugin for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	for _, p := range Places(k) {
		if s, err := os.Stat(p); err == nil && s.Mode().IsRegular() {
			return filepath.Abs(p)
		}
	}
	how := "`make setup` brings it"
	if k == CUDA {
		how = "`make setup-cuda` brings it"
	}
	return "", fmt.Errorf("backend: no %s plugin at %v: %s", k, Places(k), how)
}
