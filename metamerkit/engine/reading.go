package engine

import (
	"context"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// reading is what an observer makes of a set of images: activations at one layer,
// read from the device block by block and kept only if they fit, and the classes, which every pass leaves behind. It is an evaluate.Source.
type reading struct {
	e      *Engine
	of     string // what is read, for errors
	key    readingKey
	probe  *synth.Probe
	pixels []float32
	n, per int
	batch  int
	memory int64
	layer  int // index of the layer among what the probe reads, -1: none
	logits int // likewise

	products   evaluate.Products // nil: on the host
	keep       bool              // activations stay in held
	held       [][]float32       // of images below have
	have       int               // images below this one have classes
	classes    []int             // -1: none
	categories []int
	values     *evaluate.Gram
	ranks      *evaluate.Gram
}

// newReading sets a pass up; nothing is read yet. acts says whether activations are
// wanted.
func (e *Engine) newReading(u unit, pixels []float32, q Evaluation, acts bool) (*reading, error) {
	r := &reading{e: e, of: fmt.Sprintf("%s at %s", u.observer.Card.Name, u.observer.Layer), key: u.readingKey(q), pixels: pixels, n: u.refs.Len(), per: u.refs.Size * u.refs.Size * 3, batch: min(q.Batch, u.refs.Len()), memory: q.Memory, layer: -1, logits: -1}
	var layers []string
	if acts {
		layers, r.layer = append(layers, u.observer.Layer), 0
	}
	if u.observer.Card.Classes > 0 {
		r.logits = len(layers)
		if acts && u.observer.Layer == "logits" {
			r.logits = 0
		} else {
			layers = append(layers, "logits")
		}
	}
	if len(layers) == 0 {
		return r, nil
	}
	var err error
	if r.probe, err = e.probe(u.observer, r.batch, u.refs.Size, layers...); err != nil {
		return nil, err
	}
	r.classes, r.categories = make([]int, r.n), make([]int, r.n)
	for i := range r.classes {
		r.classes[i], r.categories[i] = -1, -1
	}
	if acts {
		if r.products, err = e.products(r.n, r.Dim()); err != nil {
			return nil, err
		}
	}
	// References and metamers are there at once, and blocks of ranks beside them.
	r.keep = acts && int64(r.n)*int64(r.Dim())*4 <= r.memory/3
	return r, nil
}

// readingKey tells apart what observers, which are open, read of references.
type readingKey struct {
	images string // SHA-256
	size   int
	net    zoo.Key
	layer  string
	batch  int
	memory int64
}

func (u unit) readingKey(q Evaluation) readingKey {
	return readingKey{u.sum, u.refs.Size, u.observer.Net.Key, u.observer.Layer, q.Batch, q.Memory}
}

// keptReadings is how many bytes readings of references may take that wait for the next
// evaluation.
func (e *Engine) keptReadings(q Evaluation) int { return int(min(q.Memory, int64(e.Weights)) / 2) }

// serves reports whether a reading has activations, if they are wanted.
func (r *reading) serves(acts bool) bool { return r.layer >= 0 || !acts }

// bytes is what a reading takes in memory.
func (r *reading) bytes() (n int) {
	for _, a := range r.held {
		n += 4 * len(a)
	}
	for _, g := range []*evaluate.Gram{r.values, r.ranks} {
		if g != nil {
			n += 8 * g.N * g.N
		}
	}
	return n
}

// Len is the number of images.
func (r *reading) Len() int { return r.n }

// Dim is the number of values of an activation, 0 where only classes are read.
func (r *reading) Dim() int {
	if r.layer < 0 {
		return 0
	}
	d := 1
	for _, s := range r.probe.Shapes[r.layer] {
		d *= s
	}
	return d
}

// Read returns activations; see evaluate.Source.
func (r *reading) Read(ctx context.Context, from, to int) ([][]float32, error) {
	if !r.keep {
		return r.load(ctx, from, to)
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	return r.held[from:to], nil
}

// load reads images on the device and notes their classes.
func (r *reading) load(ctx context.Context, from, to int) (acts [][]float32, err error) {
	for at := from; at < to; at += r.batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		read, err := r.e.readPixels(ctx, r.probe, r.pixels[at*r.per:min(at+r.batch, to)*r.per])
		if err != nil {
			return nil, err
		}
		if r.logits >= 0 {
			for i, v := range read[r.logits] {
				r.classes[at+i], r.categories[at+i] = evaluate.Class(v), evaluate.Category(v)
			}
		}
		if r.layer >= 0 {
			acts = append(acts, read[r.layer]...)
		}
	}
	if from <= r.have {
		r.have = max(r.have, to)
	}
	return acts, nil
}

// finish reads the images that no pass has read yet.
func (r *reading) finish(ctx context.Context) error {
	for r.probe != nil && r.have < r.n {
		acts, err := r.load(ctx, r.have, min(r.have+r.batch, r.n))
		if err != nil {
			return err
		}
		if r.keep {
			r.held = append(r.held, acts...)
		}
	}
	return nil
}

// gram computes the inner products of the activations, or of their ranks, once.
func (r *reading) gram(ctx context.Context, ranked bool) (*evaluate.Gram, error) {
	to, src := &r.values, evaluate.Source(r)
	if ranked {
		to, src = &r.ranks, evaluate.Ranked(r)
	}
	if *to != nil {
		return *to, nil
	}
	blocks := r.memory / 2
	if r.keep {
		blocks = r.memory / 6
	}
	g, err := evaluate.NewGramWith(ctx, src, blocks, r.products)
	if err != nil {
		return nil, fmt.Errorf("engine: similarities of %s: %w", r.of, err)
	}
	*to = g
	return g, nil
}

// matrix returns the similarities of a kind.
func (r *reading) matrix(ctx context.Context, kind string) (*evaluate.Matrix, error) {
	g, err := r.gram(ctx, kind == "spearman")
	if err != nil {
		return nil, err
	}
	return g.Matrix(kind)
}
