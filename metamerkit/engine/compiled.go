package engine

import (
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// maxCompiled bounds the compiled units, gradients and probes that are kept.
const maxCompiled = 64

// compiledKey names something that was compiled.
type compiledKey struct {
	what   string  // such as "unit"
	net    zoo.Key // of the model, zero for what belongs to none
	config digest  // of all else that it was compiled for
}

// compile returns what build compiles, from the cache if it is there. The device is free
// meanwhile; whoever asks for the same waits for it.
func compile[T any](e *Engine, what string, net zoo.Key, config digest, build func() (T, error)) (T, error) {
	built := false
	v, err := e.compiled.Do(compiledKey{what, net, config}, func() (any, error) {
		built = true
		return build()
	})
	if err != nil {
		var none T
		return none, err
	}
	if built {
		e.evict() // compiling derives weights, which count
	}
	return v.(T), nil
}

// probe compiles the forward pass of a model that reads layers back.
func (e *Engine) probe(s synth.TappedModel, batch, size int, layers ...string) (*synth.Probe, error) {
	return compile(e, "probe", s.Net.Key, digestOf(batch, size, layers), func() (*synth.Probe, error) {
		return synth.NewProbe(e.Backend.Compute, s.Card, s.Net, batch, size, layers...)
	})
}
