// Package engine carries recipes out. It holds a backend, opened models and
// compiled units, so that what was loaded or compiled once is used again.
package engine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all" // the families
	"github.com/ensemble-metamers/metamers/models/trained"
)

func init() { weightfiles.Carry(trained.Files) }

// maxCompiled bounds the compiled units, slopes and probes that are kept; the one
// used longest ago goes first.
const maxCompiled = 64

// Engine is safe for use by several goroutines. One of them computes at a time; long
// work lets others in between its chunks of steps (yield), while it compiles (kept),
// while it compares what was computed and while it writes files.
type Engine struct {
	Backend *backend.Backend
	// Weights is how many bytes the weights of all models in memory may take; more are
	// let go, those used longest ago first. New sets it to a quarter of the memory that
	// is free, on a GPU of the less of both.
	Weights int

	mu       sync.Mutex
	nets     map[string]*zoo.Net
	compiled map[string]any
	building map[string]*build                   // what is being compiled, by its key
	order    []string                            // keys of compiled, the latest used last
	recent   []string                            // keys of nets, the latest used last
	sums     map[string]seen                     // of weight files, by path
	loaded   atomic.Pointer[map[string]*zoo.Net] // a copy of nets, for those who do not wait
	files    recall                              // of runs and rows
	shelf    shelf                               // of references that observers read
	nulls    nulls                               // null sets and null distributions
}

// Open opens a backend (see backend.Open) and returns an engine on it that keeps null
// distributions in the cache folder, for the next process.
func Open(k backend.Kind) (*Engine, error) {
	b, err := backend.Open(k)
	if err != nil {
		return nil, err
	}
	e := New(b)
	e.nulls.files = nullFilesIn()
	return e, nil
}

// New returns an engine on an open backend.
func New(b *backend.Backend) *Engine {
	e := &Engine{Backend: b, Weights: math.MaxInt, nets: map[string]*zoo.Net{}, compiled: map[string]any{}, building: map[string]*build{}, sums: map[string]seen{}}
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

// Model opens a model by name or alias.
func (e *Engine) Model(name string) (*card.Card, *zoo.Net, error) { return e.model(name, "") }

// model opens a model with its weights in a precision, "" for float32.
func (e *Engine) model(name, precision string) (*card.Card, *zoo.Net, error) {
	c, err := zoo.Lookup(name)
	if err != nil {
		return nil, nil, fmt.Errorf("engine: %w", err)
	}
	key, err := keyOf(c, precision)
	if err != nil {
		return nil, nil, err
	}
	if net, ok := e.nets[key]; ok {
		e.used(key)
		return c, net, nil
	}
	if precision == "mixed" && e.Backend.Kind == backend.Go {
		return nil, nil, fmt.Errorf("engine: model %s in mixed precision: the pure-Go backend gains nothing by it and, with SIMD, computes it wrongly (docs/upstream.md); expected XLA on a GPU or CPU, or float32", c.Name)
	}
	net, err := open(c)
	if err == nil {
		switch precision {
		case "bfloat16":
			net, err = net.BFloat16()
		case "mixed":
			net, err = net.Mixed()
		}
		if err != nil {
			err = fmt.Errorf("engine: model %s with precision %s: %w", c.Name, precision, err)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	net.Key = key
	e.nets[key] = net
	e.used(key)
	e.evict()
	return c, net, nil
}

// used notes that a model is the one used last.
func (e *Engine) used(key string) {
	e.recent = append(slices.DeleteFunc(e.recent, func(k string) bool { return k == key }), key)
}

// held is what the weights of all models in memory take, and what is derived of them.
func (e *Engine) held() (bytes int) {
	for _, n := range e.nets {
		bytes += n.Bytes()
	}
	return bytes
}

// evict lets go of the models used longest ago, and of what was compiled for them,
// until the weights of all take no more than Weights bytes. The last one stays,
// whatever its size. What is in use elsewhere lives on until it is not.
func (e *Engine) evict() {
	total := e.held()
	for total > e.Weights && len(e.recent) > 1 {
		key := e.recent[0]
		e.recent = e.recent[1:]
		total -= e.nets[key].Bytes()
		delete(e.nets, key)
		e.shelf.without(key)
		e.order = slices.DeleteFunc(e.order, func(k string) bool {
			gone := strings.Contains(k, key)
			if gone {
				delete(e.compiled, k)
			}
			return gone
		})
	}
	nets := maps.Clone(e.nets)
	e.loaded.Store(&nets)
}

// keyOf tells models apart by all that their cards say, since cards of users may
// change while the engine lives.
func keyOf(c *card.Card, precision string) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("engine: the card of %s: %w", c.Name, err)
	}
	return fmt.Sprintf("%s %s %.8x", c.Name, precision, sha256.Sum256(text)), nil
}

// tappedModel opens a model at a stage, or at a layer by its own name.
func (e *Engine) tappedModel(model, stage, precision string) (synth.TappedModel, error) {
	c, net, err := e.model(model, precision)
	if err != nil {
		return synth.TappedModel{}, err
	}
	layer := zoo.LayerOf(c, stage)
	if _, _, err := net.Reads(c.Input, layer); err != nil {
		layers, e := net.Layers(c.Input)
		if e != nil {
			return synth.TappedModel{}, fmt.Errorf("engine: model %s: %w", c.Name, e)
		}
		return synth.TappedModel{}, fmt.Errorf("engine: model %s: %w", c.Name, metamer.Unknown("stage", stage, append(append([]string{}, metamer.Stages...), layers...)))
	}
	return synth.TappedModel{Card: c, Net: net, Layer: layer}, nil
}

// Loaded lists the models in memory, by name. It does not wait for work under way.
func (e *Engine) Loaded() []string { return slices.Sorted(maps.Keys(e.heldBy())) }

// heldBy is what the models in memory take there, by name (see held).
func (e *Engine) heldBy() map[string]int {
	out := map[string]int{}
	if nets := e.loaded.Load(); nets != nil {
		for k, n := range *nets {
			out[strings.Fields(k)[0]] += n.Bytes()
		}
	}
	return out
}

// yield lets another goroutine that waits for the engine have it, and takes it
// back. A mutex gives itself to whoever waited longest once that is a millisecond,
// so that several clients take turns chunk by chunk.
func (e *Engine) yield() {
	e.mu.Unlock()
	e.mu.Lock()
}

// turn takes the engine for f, which somebody calls who does not have it.
func (e *Engine) turn(f func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f()
}

func (e *Engine) probe(s synth.TappedModel, batch, size int, layers ...string) (*synth.Probe, error) {
	return kept(e, func() (*synth.Probe, error) {
		return synth.NewProbe(e.Backend.Compute, s.Card, s.Net, batch, size, layers...)
	}, "probe", s.Net.Key, batch, size, layers)
}
