package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// evidenceBytes is what the references' activations of a block of images may take, with
// their ranks; as much again is another block's or the metamers'.
var evidenceBytes int64 = 1 << 30 // tests make it small

// judge adds the evidence of every image and member to a run. Activations that are too
// many for memory are computed again, block by block. The lock is held, and given back
// while they are compared.
func (e *Engine) judge(ctx context.Context, run *metamer.Run, subjects []synth.Subject, refs *images.Set) error {
	r := run.Recipe
	n, per := r.Images.Count, r.Images.Size*r.Images.Size*3
	e.mu.Unlock()
	defer e.mu.Lock()
	for _, s := range subjects {
		var p *synth.Probe
		err := e.turn(func() (err error) {
			if s, err = e.exact(s, r); err == nil {
				p, err = e.probe(s, r.Batch, r.Images.Size, layersOf(s)...)
			}
			return err
		})
		if err != nil {
			return err
		}
		size := blockOf(p.Shapes[0], r.Batch, n, evidenceBytes)
		var held []evaluate.Vector // the references, where they are one block
		var heldClass []int
		read := func(pixels []float32, from, to int) (v []evaluate.Vector, classes []int, err error) {
			for at := from; at < to; at += r.Batch {
				if err := ctx.Err(); err != nil {
					return nil, nil, err
				}
				var part []evaluate.Vector
				var class []int
				if part, class, err = e.read(s, p, pixels[at*per:min(at+r.Batch, to)*per]); err != nil {
					return nil, nil, err
				}
				v, classes = append(v, part...), append(classes, class...)
			}
			return v, classes, nil
		}
		null, err := evaluate.NullOver(s.Card.Name, n, size, r.NullPairs, r.Seed, func(from, to int) (v []evaluate.Vector, err error) {
			v, class, err := read(refs.Pixels, from, to)
			if size >= n {
				held, heldClass = v, class
			}
			return v, err
		})
		if err != nil {
			return err
		}
		run.Nulls = append(run.Nulls, null)
		for from := 0; from < n; from += size {
			to := min(from+size, n)
			ref, refClass := held, heldClass
			if ref == nil {
				if ref, refClass, err = read(refs.Pixels, from, to); err != nil {
					return err
				}
			}
			for at := from; at < to; at += r.Batch {
				met, class, err := read(run.Metamers, at, min(at+r.Batch, to))
				if err != nil {
					return err
				}
				k := at - from
				run.Evidence = append(run.Evidence, evaluate.JudgeEach(at, null, ref[k:k+len(met)], met, refClass[k:k+len(met)], class)...)
			}
		}
	}
	return nil
}

// exact is the member that judges: where it made metamers in mixed precision, the model
// itself.
func (e *Engine) exact(s synth.Subject, r metamer.Recipe) (synth.Subject, error) {
	if r.Precision != "mixed" {
		return s, nil
	}
	return e.subject(s.Card.Name, s.Layer, "")
}

// blockOf is how many images of n have activations of this shape that take at most so
// many bytes, ranks included: whole batches, at least one.
func blockOf(shape []int, batch, n int, bytes int64) int {
	one := int64(16)
	for _, d := range shape {
		one *= int64(d)
	}
	return min(max(int(bytes/one)/batch, 1)*batch, max(n, 1))
}

// layersOf are what evidence reads of a member.
func layersOf(s synth.Subject) []string {
	if s.Card.Classes > 0 {
		return []string{s.Layer, "logits"}
	}
	return []string{s.Layer}
}

// read returns activations and classes (-1 for a model without a classifier), read by a
// probe of layersOf. The engine is taken while the device is at it.
func (e *Engine) read(s synth.Subject, p *synth.Probe, pixels []float32) ([]evaluate.Vector, []int, error) {
	var acts [][][]float32
	err := e.turn(func() (err error) {
		acts, err = p.Read(pixels)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	classes := make([]int, len(acts[0]))
	for i := range classes {
		classes[i] = -1
		if s.Card.Classes > 0 {
			classes[i] = argmax(acts[1][i])
		}
	}
	return evaluate.NewVectors(acts[0]), classes, nil
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
		// Where a logit is NaN there is no class.
		if k := argmax(a); k == set.Labels[i] && !slices.ContainsFunc(a, func(x float32) bool { return x != x }) {
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
