// Package backend opens the backend that computes: XLA on a GPU, XLA on the CPU, or pure
// Go. It downloads nothing; `make setup` installs the plugins of XLA.
package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/dustin/go-humanize/english"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"

	"github.com/ensemble-metamers/metamers/metamerkit/backend/onednn"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Kind is a way to compute.
type Kind string

// The kinds of backend.
const (
	Auto Kind = "auto" // CUDA if there is a GPU and a plugin, else XLA, else Go
	CUDA Kind = "cuda" // XLA on an NVIDIA GPU
	XLA  Kind = "xla"  // XLA on the CPU
	Go   Kind = "go"   // the pure-Go backend, which needs nothing installed

	// Named is XLA by a PJRT plugin that the user names: "plugin:FILE" for Open.
	Named Kind = "plugin"
)

// PluginVar names the file of a PJRT plugin for Auto.
const PluginVar = "METAMERS_PJRT"

// Kinds lists what Open takes.
var Kinds = []string{string(Auto), string(CUDA), string(XLA), string(Go)}

// EnvVar overrides Auto.
const EnvVar = "METAMERS_BACKEND"

// Backend is an open backend.
//
// GoMLX compares backends by identity, so that Backend does not embed Compute:
// a wrapper would be another backend than the one that tensors come back with.
type Backend struct {
	Compute compute.Backend
	Kind    Kind
	Plugin  string // path of the PJRT plugin, "" for Go
	Version string // of the plugin; of a named one its file and the beginning of its SHA-256
	OneDNN  string // version of the library that computes products and convolutions on a CPU, "" if XLA does
	Notice  string // one line if a faster backend is possible, else ""

	query sync.Once // of the GPU's memory, since nvidia-smi is slow
	total uint64    // bytes of the GPU's memory, 0: unknown
}

// Loops reports whether many steps belong in one graph.While. On a GPU that saves
// a launch a step. On the CPU XLA's convolutions are about eight times slower
// inside a While than outside (docs/notes/upstream.md), and on the Go backend a body
// that computes a gradient fails at run time: there each step is one call.
func (b *Backend) Loops() bool { return b.Kind == CUDA }

// SlowBFloat16 reports whether mixed precision takes longer than float32: on a CPU without
// avx512_bf16 or AMX, or without oneDNN.
func (b *Backend) SlowBFloat16() bool { return b.Kind == XLA && !onednn.Computes(dtypes.BFloat16) }

// Device describes the device: the GPU's model, or the kind of backend and the number of CPU
// cores.
func (b *Backend) Device() string {
	if b.Kind == Named {
		return b.Version
	}
	if b.Kind != CUDA {
		return string(b.Kind) + " on " + english.Plural(runtime.NumCPU(), "CPU core", "")
	}
	return gpuModel(GPU())
}

// Open opens a backend of a kind; "" means METAMERS_BACKEND, else Auto. Auto opens the fastest
// one that works and says in Notice if a faster one failed. For another kind a backend that
// does not work is an error.
func Open(want Kind) (*Backend, error) {
	if want == "" {
		want = Kind(os.Getenv(EnvVar))
	}
	if file := os.Getenv(PluginVar); file != "" && (want == "" || want == Auto) {
		want = Named + ":" + Kind(file)
	}
	if file, ok := strings.CutPrefix(string(want), string(Named)+":"); ok {
		return openNamed(file)
	}
	switch want {
	case "", Auto:
		return auto()
	case CUDA, XLA:
		return openXLA(want)
	case Go:
		return openGo()
	}
	return nil, Check(want)
}

// Check is an error for what Open does not know.
func Check(want Kind) error {
	file, named := strings.CutPrefix(string(want), string(Named)+":")
	switch {
	case named && file == "":
		return fmt.Errorf("backend: %q names no file, expected plugin:FILE", want)
	case named, want == "", slices.Contains(Kinds, string(want)):
		return nil
	}
	return fmt.Errorf("backend: %w", metamer.Unknown("backend", string(want), append(slices.Clone(Kinds), "plugin:FILE")))
}

// openNamed opens a plugin by its file.
func openNamed(file string) (*Backend, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	sum, err := paths.Sum(path)
	if err != nil {
		return nil, fmt.Errorf("backend: the plugin %s cannot be read: %w: expected the file of a PJRT plugin", file, err)
	}
	b, err := openPlugin(Named, path)
	if err != nil {
		return nil, err
	}
	b.Version = filepath.Base(path) + "@" + sum[:12]
	return b, nil
}

func auto() (*Backend, error) {
	if _, _, err := oneDNN(""); err != nil {
		return nil, err // a wrong setting, and no reason to compute in pure Go
	}
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
		b, e := openGo()
		if e != nil {
			return nil, errors.Join(err, e)
		}
		b.Notice = fmt.Sprintf("computing on the pure-Go backend, several times slower than XLA (%s)", oneLine(err))
		return b, nil
	}
	if cudaErr != nil {
		b.Notice = fmt.Sprintf("a GPU was found but is not used (%s)", oneLine(cudaErr))
	}
	return b, nil
}

// oneLine flattens the errors of XLA, some of which carry a stack trace.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// openGo computes one operation after the other, each on all cores. Operations side by
// side are no faster, and a panic in one could not be caught (docs/notes/upstream.md).
func openGo() (*Backend, error) {
	if err := safeVectors(runtime.Version()); err != nil {
		return nil, err
	}
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("backend: pure Go: %w", err)
	}
	return &Backend{Compute: b, Kind: Go}, nil
}

// safeVectors is an error for a Go compiler with the experiment simd: its loads of the last
// elements of a slice read past its end, which sometimes ends the process
// (docs/notes/upstream.md).
func safeVectors(compiler string) error {
	if !strings.Contains(compiler, "simd") {
		return nil
	}
	return fmt.Errorf("backend: pure Go: this program was built with GOEXPERIMENT=simd (%s), which makes the backend crash sometimes (docs/notes/upstream.md); expected a build without it", compiler)
}
