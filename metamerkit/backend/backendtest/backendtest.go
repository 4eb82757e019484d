// Package backendtest runs a test on every backend that the machine has.
package backendtest

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

var (
	mu     sync.Mutex
	opened = map[backend.Kind]*backend.Backend{}
)

// Open returns the backend of that kind, opened once a process, and skips the test with
// the reason where it cannot be had. A program that could load XLA's plugin and does not
// find it fails where METAMERS_REQUIRE_DATA is set; builds without cgo have no XLA.
func Open(t testing.TB, k backend.Kind) *backend.Backend {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if b, ok := opened[k]; ok {
		return b
	}
	b, err := backend.Open(k)
	if err != nil && k == backend.XLA && backend.HasXLA {
		pathstest.Missing(t, "no %s backend here: %v", k, err)
	}
	if err != nil {
		t.Skipf("no %s backend here: %v", k, err)
	}
	opened[k] = b
	return b
}

// Each runs f as a subtest on the pure-Go backend, on XLA on the CPU and on a GPU.
func Each(t *testing.T, f func(t *testing.T, b *backend.Backend)) {
	t.Helper()
	for _, k := range []backend.Kind{backend.Go, backend.XLA, backend.CUDA} {
		t.Run(string(k), func(t *testing.T) { f(t, Open(t, k)) })
	}
}

// Normal returns a tensor of normal random numbers.
func Normal(seed uint64, dims ...int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}
