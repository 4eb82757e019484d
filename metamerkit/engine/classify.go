package engine

import (
	"context"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// ZeroShot are class embeddings for a model without a classifier (see zoo.ZeroShot).
type ZeroShot struct {
	Names   []string    // of the classes
	Classes [][]float32 // [K,D]
	Scale   float64     // 0: 100
}

// NoClassifierError reports a model that knows no classes.
type NoClassifierError struct{ Card *card.Card }

func (e *NoClassifierError) Error() string {
	s := fmt.Sprintf("engine: %s has no classifier: it was trained without classes (%s), and its activations can be compared only", e.Card.Name, e.Card.Training)
	if e.Card.Training == "language-image" {
		s += "; with embeddings of class names by its text tower it classifies zero-shot"
	}
	return s
}

// Logits returns a model's logits for each image [N][K]. zero may give classes to a
// model that has none; for one that has, it is an error.
func (e *Engine) Logits(name string, set *images.Set, batch int, zero *ZeroShot) ([][]float32, error) {
	c, err := zoo.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if c.Classes == 0 && zero == nil {
		return nil, &NoClassifierError{c}
	}
	if c.Classes > 0 && zero != nil {
		return nil, fmt.Errorf("engine: %s has a classifier of %d classes; class embeddings are for models without one", c.Name, c.Classes)
	}
	c, net, err := e.Model(name)
	if err != nil {
		return nil, err
	}
	s := synth.TappedModel{Card: c, Net: net, Layer: "logits"}
	if zero != nil {
		if s.Net, err = zoo.ZeroShot(net, zero.Classes, zero.Scale); err != nil {
			return nil, fmt.Errorf("engine: model %s: %w", c.Name, err)
		}
		s.Net.Key = net.Key
		s.Net.Key.Classes = digestOf(zero.Classes, zero.Scale)
	}
	p, err := e.probe(s, min(batch, set.Len()), set.Size, "logits")
	if err != nil {
		return nil, err
	}
	acts, err := e.readPixels(context.Background(), p, set.Pixels)
	if err != nil {
		return nil, err
	}
	return acts[0], nil
}
