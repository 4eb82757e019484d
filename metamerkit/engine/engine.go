// Package engine carries recipes out. It holds a backend, opened models and
// compiled units, so that what was loaded or compiled once is used again.
package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all" // the families
)

// maxCompiled bounds the compiled units, slopes and probes that are kept; the one
// used longest ago goes first.
const maxCompiled = 64

// Engine is safe for use by several goroutines. One of them computes at a time; long
// work lets others in between its chunks of steps (yield).
type Engine struct {
	Backend *backend.Backend

	mu       sync.Mutex
	nets     map[string]*zoo.Net
	compiled map[string]any
	order    []string // keys of compiled, the latest used last
	loaded   atomic.Pointer[[]string]
}

// Open opens a backend (see backend.Open) and returns an engine on it.
func Open(k backend.Kind) (*Engine, error) {
	b, err := backend.Open(k)
	if err != nil {
		return nil, err
	}
	return New(b), nil
}

// New returns an engine on an open backend.
func New(b *backend.Backend) *Engine {
	return &Engine{Backend: b, nets: map[string]*zoo.Net{}, compiled: map[string]any{}}
}

// Locate returns the path of a model's weight file, or an error that says where
// it was looked for and where it comes from.
func Locate(c *card.Card) (string, error) {
	path, err := place.Find("weights/" + c.Weights.File)
	if err != nil {
		return "", fmt.Errorf("engine: the weights of %s are not here: get %s from %s and put it into one of the folders (%w)", c.Name, c.Weights.File, c.Weights.Source, err)
	}
	return path, nil
}

// Model opens a model by name or alias.
func (e *Engine) Model(name string) (*card.Card, *zoo.Net, error) {
	c, err := zoo.Lookup(name)
	if err != nil {
		return nil, nil, fmt.Errorf("engine: %w", err)
	}
	if net, ok := e.nets[c.Name]; ok {
		return c, net, nil
	}
	path, err := Locate(c)
	if err != nil {
		return nil, nil, err
	}
	net, err := zoo.Open(c, path)
	if err != nil {
		return nil, nil, err
	}
	e.nets[c.Name] = net
	names := slices.Sorted(maps.Keys(e.nets))
	e.loaded.Store(&names)
	return c, net, nil
}

// subject opens a model at a stage, or at a layer by its own name.
func (e *Engine) subject(model, stage string) (synth.Subject, error) {
	c, net, err := e.Model(model)
	if err != nil {
		return synth.Subject{}, err
	}
	layer := zoo.LayerOf(c, stage)
	if _, _, err := net.Reads(c.Input, layer); err != nil {
		layers, e := net.Layers(c.Input)
		if e != nil {
			return synth.Subject{}, fmt.Errorf("engine: model %s: %w", c.Name, e)
		}
		return synth.Subject{}, fmt.Errorf("engine: model %s: %w", c.Name, metamer.Unknown("stage", stage, append(append([]string{}, metamer.Stages...), layers...)))
	}
	return synth.Subject{Card: c, Net: net, Layer: layer}, nil
}

// Loaded lists the models in memory, by name. It does not wait for work under way.
func (e *Engine) Loaded() []string {
	if names := e.loaded.Load(); names != nil {
		return *names
	}
	return nil
}

// yield lets another goroutine that waits for the engine have it, and takes it
// back. A mutex gives itself to whoever waited longest once that is a millisecond,
// so that several clients take turns chunk by chunk.
func (e *Engine) yield() {
	e.mu.Unlock()
	e.mu.Lock()
}

// kept returns what make gives, from the cache if it is there.
func kept[T any](e *Engine, make func() (T, error), key ...any) (T, error) {
	k := strings.TrimSpace(fmt.Sprintln(key...))
	for i, o := range e.order {
		if o == k {
			e.order = append(append(e.order[:i:i], e.order[i+1:]...), k)
			return e.compiled[k].(T), nil
		}
	}
	v, err := make()
	if err != nil {
		return v, err
	}
	if len(e.order) >= maxCompiled {
		delete(e.compiled, e.order[0])
		e.order = e.order[1:]
	}
	e.compiled[k], e.order = v, append(e.order, k)
	return v, nil
}

func (e *Engine) probe(s synth.Subject, batch, size int, layers ...string) (*synth.Probe, error) {
	return kept(e, func() (*synth.Probe, error) {
		return synth.NewProbe(e.Backend.Compute, s.Card, s.Net, batch, size, layers...)
	}, "probe", s.Card.Name, batch, size, layers)
}
