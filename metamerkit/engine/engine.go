// Package engine makes runs from recipes and evaluates runs. It caches opened models and
// compiled units of one backend.
package engine

import (
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/cache"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all" // the families
	"github.com/ensemble-metamers/metamers/models/trained"
)

func init() { weightfiles.Carry(trained.Files) }

// Engine is safe for use by several goroutines. They share the device call by call (a
// chunk of steps, a batch that is read); while one of them opens a model, compiles,
// compares what was computed or writes files, the others use the device.
type Engine struct {
	Backend *backend.Backend
	// Weights is how many bytes the weights of all models in memory may take; more are
	// let go, those used longest ago first. New sets it to a quarter of the memory that
	// is free: on a GPU, of the smaller of host and device memory.
	Weights int
	// Doubt says why the device is not to be trusted, "" if nothing is known against it. It
	// stands in the match statistics of runs. Open sets it by the device's last comparison.
	Doubt string

	device    device
	nets      *cache.Cache[zoo.Key, *zoo.Net]
	compiled  *cache.Cache[compiledKey, any]
	readings  *cache.Cache[readingKey, *reading]             // of references by observers
	metrics   *cache.Cache[metricsKey, metamer.Rows]         // of references
	nullSets  *cache.Cache[nullSetKey, *nullSet]             // null sets as their pairs are compared
	nulls     *cache.Cache[nullKey, *evaluate.Null]          // null distributions
	nullFiles filecache.Cache                                // null distributions of earlier processes
	runs      *cache.Cache[string, fileValue[*metamer.Run]]  // read from the store, by folder
	rows      *cache.Cache[rowFile, fileValue[metamer.Rows]] // read from the store
	sums      sums
}

// Open opens a backend (see backend.Open) and returns an engine on it that keeps null
// distributions in the cache folder, for the next process.
func Open(k backend.Kind) (*Engine, error) {
	b, err := backend.Open(k)
	if err != nil {
		return nil, err
	}
	e := New(b)
	e.nullFiles, e.Doubt = nullFilesIn(), b.Doubt()
	return e, nil
}

// New returns an engine on an open backend.
func New(b *backend.Backend) *Engine {
	e := newEngine()
	e.Backend, e.Weights = b, math.MaxInt
	for _, free := range []func() (uint64, error){backend.FreeMemory, b.FreeMemory} { // a GPU holds them too
		if n, err := free(); err == nil && n > 0 {
			e.Weights = min(e.Weights, int(n/4))
		}
	}
	if e.Weights == math.MaxInt { // nobody knows
		e.Weights = 4 << 30
	}
	return e
}

// newEngine returns an engine with empty caches.
func newEngine() *Engine {
	e := &Engine{
		device:   newDevice(),
		compiled: cache.New[compiledKey, any](maxCompiled, nil, nil),
		readings: cache.New[readingKey](math.MaxInt, (*reading).bytes, nil),
		metrics:  cache.New[metricsKey, metamer.Rows](maxMetrics, nil, nil),
		nullSets: cache.New[nullSetKey, *nullSet](maxNullSets, nil, nil),
		nulls:    cache.New[nullKey](maxNullBytes, (*evaluate.Null).Bytes, nil),
		runs:     cache.New[string](maxRunBytes, fileValue[*metamer.Run].bytes, nil),
		rows:     cache.New[rowFile](maxRowBytes, fileValue[metamer.Rows].bytes, nil),
	}
	e.nets = cache.New(math.MaxInt, (*zoo.Net).Bytes, func(k zoo.Key, _ *zoo.Net) {
		e.readings.Drop(func(r readingKey) bool { return r.net == k })
		e.compiled.Drop(func(c compiledKey) bool { return c.net == k })
	})
	return e
}

// Forget drops what the engine keeps in memory of a model.
func (e *Engine) Forget(model string) {
	e.nets.Drop(func(k zoo.Key) bool { return k.Model == model })
}

// Locate returns the path of a model's weight file, or an error that says where it
// was looked for and the command that brings it (see weightfiles.Locate).
func Locate(c *card.Card) (string, error) {
	f, err := weightfiles.Locate(c)
	if err != nil {
		return "", fmt.Errorf("engine: %w", err)
	}
	return f.Path, nil
}

// open reads a model's weights, held to the sum that its card or the lock says.
func open(c *card.Card) (*zoo.Net, error) {
	f, err := weightfiles.Locate(c)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	held := *c
	held.Weights.SHA256 = f.Want
	return zoo.Open(&held, f.Path)
}
