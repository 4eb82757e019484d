package engine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

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
	if net, ok := e.nets.Get(key); ok {
		return c, net, nil
	}
	if precision == "mixed" && e.Backend.Kind == backend.Go {
		return nil, nil, fmt.Errorf("engine: model %s in mixed precision: the pure-Go backend gains nothing by it; expected XLA on a GPU or CPU, or float32", c.Name)
	}
	net, err := e.nets.Do(key, func() (*zoo.Net, error) {
		net, err := open(c)
		if err != nil {
			return nil, err
		}
		switch precision {
		case "bfloat16":
			net, err = net.BFloat16()
		case "mixed":
			net, err = net.Mixed()
		}
		if err != nil {
			return nil, fmt.Errorf("engine: model %s with precision %s: %w", c.Name, precision, err)
		}
		net.Key = key
		return net, nil
	})
	if err != nil {
		return nil, nil, err
	}
	e.evict()
	return c, net, nil
}

// held is what the weights of all models in memory take, and what is derived of them.
func (e *Engine) held() (bytes int) {
	for _, n := range e.nets.Values() {
		bytes += n.Bytes()
	}
	return bytes
}

// evict lets go of the models used longest ago, and of what was compiled for them,
// until the weights of all take no more than Weights bytes. The last one stays,
// whatever its size. What is in use elsewhere lives on until it is not.
func (e *Engine) evict() { e.nets.Trim(e.Weights, 1) }

// keyOf tells models apart by all that their cards say, since cards of users may
// change while the engine lives.
func keyOf(c *card.Card, precision string) (zoo.Key, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return zoo.Key{}, fmt.Errorf("engine: the card of %s: %w", c.Name, err)
	}
	return zoo.Key{Model: c.Name, Precision: precision, Card: sha256.Sum256(text)}, nil
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
	for _, n := range e.nets.Values() {
		out[n.Key.Model] += n.Bytes()
	}
	return out
}
