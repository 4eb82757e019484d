package engine

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// judge adds the evidence of every image and member to a run.
func (e *Engine) judge(run *metamer.Run, subjects []synth.Subject, refs *images.Set) error {
	r := run.Recipe
	for _, s := range subjects {
		ref, refClass, err := e.read(s, r.Batch, r.Images.Size, refs.Pixels)
		if err != nil {
			return err
		}
		met, class, err := e.read(s, r.Batch, r.Images.Size, run.Metamers)
		if err != nil {
			return err
		}
		null := evaluate.NullOf(s.Card.Name, ref, r.NullPairs, r.Seed)
		run.Nulls = append(run.Nulls, null)
		for i := range ref {
			run.Evidence = append(run.Evidence, evaluate.Judge(i, null, ref[i], met[i], refClass[i], class[i]))
		}
	}
	return nil
}

// read returns activations and classes (-1 for a model without a classifier).
func (e *Engine) read(s synth.Subject, batch, size int, pixels []float32) ([]evaluate.Vector, []int, error) {
	layers := []string{s.Layer}
	if s.Card.Classes > 0 {
		layers = append(layers, "logits")
	}
	p, err := e.probe(s, batch, size, layers...)
	if err != nil {
		return nil, nil, err
	}
	acts, err := p.Read(pixels)
	if err != nil {
		return nil, nil, err
	}
	vectors, classes := make([]evaluate.Vector, len(acts[0])), make([]int, len(acts[0]))
	for i, a := range acts[0] {
		vectors[i], classes[i] = evaluate.NewVector(a), -1
		if s.Card.Classes > 0 {
			classes[i] = argmax(acts[1][i])
		}
	}
	return vectors, classes, nil
}

func argmax(v []float32) (at int) {
	for i, x := range v {
		if x > v[at] {
			at = i
		}
	}
	return at
}

// Accuracy returns the share of a labelled set that a model classifies correctly.
func (e *Engine) Accuracy(name string, set *images.Set) (float64, error) {
	if c, err := zoo.Lookup(name); err == nil && c.Classes == 0 {
		return 0, fmt.Errorf("engine: model %s has no classifier, so that no accuracy can be told", c.Name)
	}
	acts, _, err := e.Activations(name, []string{"logits"}, set, 100)
	if err != nil {
		return 0, err
	}
	hits := 0
	for i, a := range acts[0] {
		if set.Labels[i] < 0 {
			return 0, fmt.Errorf("engine: image %s has no label", set.Names[i])
		}
		if argmax(a) == set.Labels[i] {
			hits++
		}
	}
	return float64(hits) / float64(set.Len()), nil
}

// Activations returns the activations of a model at stages or layers, for each a
// flat slice an image, and their shapes for one image.
func (e *Engine) Activations(name string, stages []string, set *images.Set, batch int) (acts [][][]float32, shapes [][]int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var s synth.Subject
	var layers []string
	for _, st := range stages {
		if s, err = e.subject(name, st, ""); err != nil {
			return nil, nil, err
		}
		layers = append(layers, s.Layer)
	}
	p, err := e.probe(s, min(batch, set.Len()), set.Size, layers...)
	if err != nil {
		return nil, nil, err
	}
	acts, err = p.Read(set.Pixels)
	return acts, p.Shapes, err
}

// Card is zoo.Lookup, for callers that hold an engine.
func (e *Engine) Card(name string) (*card.Card, error) {
	c, _, err := e.Model(name)
	return c, err
}
