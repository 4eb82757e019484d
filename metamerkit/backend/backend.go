// Package backend opens the backend that computes: XLA on a GPU, XLA on the CPU, or pure
// Go. It downloads nothing; `make setup` installs the plugins of XLA.
package backend

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/dustin/go-humanize/english"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
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

// Backend is an open backend.
//
// GoMLX compares backends by identity, so that Backend does not embed Compute:
// a wrapper would be another backend than the one that tensors come back with.
type Backend struct {
	Compute compute.Backend
	Kind    Kind
	Plugin  string // path of the PJRT plugin, "" for Go
	Notice  string // one line if a faster backend is possible, else ""

	query sync.Once // of the GPU's memory, since nvidia-smi is slow
	total uint64    // bytes of the GPU's memory, 0: unknown
}

// Loops reports whether many steps belong in one graph.While. On a GPU that saves
// a launch a step. On the CPU XLA's convolutions are about eight times slower
// inside a While than outside (docs/notes/upstream.md), and on the Go backend a body
// that computes a gradient fails at run time: there each step is one call.
func (b *Backend) Loops() bool { return b.Kind == CUDA }

// Device describes the device: the GPU's model, or the kind of backend and the number of CPU
// cores.
func (b *Backend) Device() string {
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
			b.Notice = fmt.Sprintf("computing on the pure-Go backend, several times slower than XLA (%s)", oneLine(err))
			return b, nil
		}
		return nil, err
	}
	if cudaErr != nil {
		b.Notice = fmt.Sprintf("a GPU was found but is not used (%s)", oneLine(cudaErr))
	}
	return b, nil
}

// oneLine flattens the errors of XLA, some of which carry a stack trace.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// openGo computes one operation after the other, each on all cores: operations side
// by side wait for each other for ever (docs/notes/upstream.md).
func openGo() (*Backend, error) {
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("backend: pure Go: %w", err)
	}
	return &Backend{Compute: b, Kind: Go}, nil
}
