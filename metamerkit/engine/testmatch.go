package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// testMatch adds the match statistics of every image and member to a run, batch by batch,
// and those of the models that it is against.
func (e *Engine) testMatch(ctx context.Context, run *metamer.Run, tapped []synth.TappedModel, q Request) error {
	r := run.Recipe
	n, per := r.Images.Count, r.Images.Size*r.Images.Size*3
	for i, s := range tapped {
		nulls, statistics := &run.Nulls, &run.Statistics
		if i >= len(r.Models) {
			nulls, statistics = &run.AgainstNulls, &run.Against
		}
		s, err := e.exact(s, r)
		if err != nil {
			return err
		}
		p, err := e.probe(s, r.Batch, r.Images.Size, layersOf(s)...)
		if err != nil {
			return err
		}
		null, err := e.null(ctx, s, &nullSet{r.Null, q.Null})
		if err != nil {
			return err
		}
		*nulls = append(*nulls, null.Null)
		for from := 0; from < n; from += r.Batch {
			if err := ctx.Err(); err != nil {
				return err
			}
			to := min(from+r.Batch, n)
			ref, refClass, err := e.read(ctx, s, p, q.Images.Pixels[from*per:to*per])
			if err != nil {
				return err
			}
			found, err := e.testBatch(ctx, s, p, null, from, ref, refClass, run.Metamers[from*per:to*per])
			if err != nil {
				return err
			}
			*statistics = append(*statistics, found...)
		}
	}
	return nil
}

// testBatch tests the metamers of a batch, and the same as PNG files hold them.
func (e *Engine) testBatch(ctx context.Context, s synth.TappedModel, p *synth.Probe, null *evaluate.Null, from int, ref []evaluate.Vector, refClass []int, pixels []float32) ([]metamer.MatchStatistics, error) {
	met, class, err := e.read(ctx, s, p, pixels)
	if err != nil {
		return nil, err
	}
	out := null.TestEach(from, ref, met, refClass, class)
	png := out
	if rounded := images.Rounded(pixels); !slices.Equal(rounded, pixels) {
		if met, class, err = e.read(ctx, s, p, rounded); err != nil {
			return nil, err
		}
		png = null.TestEach(from, ref, met, refClass, class)
	}
	for i, of := range png {
		out[i].PNGVerdict, out[i].PNGLoss = of.Verdict, of.Loss
		if e.Doubt != "" {
			out[i].Why = strings.TrimPrefix(out[i].Why+"; "+e.Doubt, "; ")
		}
	}
	return out, nil
}

// exact is the member that tests: where it made metamers in mixed precision, the model
// itself.
func (e *Engine) exact(s synth.TappedModel, r metamer.Recipe) (synth.TappedModel, error) {
	if r.Precision != "mixed" {
		return s, nil
	}
	return e.tappedModel(s.Card.Name, s.Layer, "")
}

// layersOf are what match statistics read of a member.
func layersOf(s synth.TappedModel) []string {
	if s.Card.Classes > 0 {
		return []string{s.Layer, "logits"}
	}
	return []string{s.Layer}
}

// read returns activations and classes (-1 for a model without a classifier), read by a
// probe of layersOf.
func (e *Engine) read(ctx context.Context, s synth.TappedModel, p *synth.Probe, pixels []float32) ([]evaluate.Vector, []int, error) {
	acts, err := e.readPixels(ctx, p, pixels)
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

// readPixels reads images with the device held.
func (e *Engine) readPixels(ctx context.Context, p *synth.Probe, pixels []float32) (acts [][][]float32, err error) {
	err = e.device.do(ctx, func() error {
		acts, err = p.Read(pixels)
		return err
	})
	return acts, err
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
		if evaluate.Class(a) == set.Labels[i] {
			hits++
		}
	}
	return float64(hits) / float64(set.Len()), nil
}

// Activations returns the activations of a model at stages or layers, for each a
// flat slice an image, and their shapes for one image.
func (e *Engine) Activations(name string, stages []string, set *images.Set, batch int) (acts [][][]float32, shapes [][]int, err error) {
	var s synth.TappedModel
	var layers []string
	for _, st := range stages {
		if s, err = e.tappedModel(name, st, ""); err != nil {
			return nil, nil, err
		}
		layers = append(layers, s.Layer)
	}
	p, err := e.probe(s, min(batch, set.Len()), set.Size, layers...)
	if err != nil {
		return nil, nil, err
	}
	acts, err = e.readPixels(context.Background(), p, set.Pixels)
	return acts, p.Shapes, err
}
