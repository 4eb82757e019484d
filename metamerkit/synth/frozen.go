package synth

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// frozen is what the layers of a unit compute from weights alone, computed beforehand:
// kernels with batch normalisations folded in, transformed kernels.
type frozen struct {
	keys    []string          // block.Once's
	tensors []*tensors.Tensor // likewise
}

// prepare computes what the net has not derived before.
func (r *reader) prepare(c *card.Card, layers []string) (f frozen, err error) {
	d := r.net.Derived
	if d == nil {
		return f, nil
	}
	d.Lock()
	defer d.Unlock()
	err = exceptions.TryCatch[error](func() {
		g, noted := r.note(c, layers)
		defer g.Finalize()
		f.keys = noted.Keys
		var missing []string
		var nodes []*Node
		for _, k := range f.keys {
			if d.Get(k) == nil {
				missing = append(missing, k)
				nodes = append(nodes, noted.Nodes[k])
			}
		}
		if missing == nil {
			return
		}
		compile(g, nodes...)
		for i, t := range g.Run(r.inputs(tensors.FromShape(r.imageShape()))...) {
			d.Put(missing[i], t)
		}
	})
	for _, k := range f.keys {
		f.tensors = append(f.tensors, d.Get(k))
	}
	return f, err
}

// note draws the layers and notes what of them depends on weights alone.
func (r *reader) note(c *card.Card, layers []string) (*Graph, *block.Noted) {
	st := r.store()
	g := NewGraph(r.backend, c.Name+" weights")
	x := Parameter(g, "images", r.imageShape())
	parameters(g, st, r.paths)
	noted := block.Record(g)
	r.net.Tap(st.RootScope(), c.Input, x, stage.Options{}, layers...)
	return g, noted
}

// Derives returns how many bytes a unit of a tapped model will derive from its weights,
// besides what its net has derived.
func Derives(b compute.Backend, s TappedModel, cfg Config) (bytes int, err error) {
	d := s.Net.Derived
	if d == nil || cfg.Loops {
		return 0, nil
	}
	r := reader{Name: s.Card.Name, cfg: cfg, backend: b, net: s.Net}
	if r.paths, _, err = s.Net.Reads(s.Card.Input, s.Layer); err != nil {
		return 0, fmt.Errorf("synth: model %s: %w", s.Card.Name, err)
	}
	d.Lock()
	defer d.Unlock()
	err = exceptions.TryCatch[error](func() {
		g, noted := r.note(s.Card, []string{s.Layer})
		defer g.Finalize()
		for k, n := range noted.Nodes {
			if d.Get(k) == nil {
				bytes += n.Shape().Size() * n.DType().Size()
			}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("synth: weights of %s: %w", s.Card.Name, err)
	}
	return bytes, nil
}

// give makes parameters of a graph for the tensors, in order, behind all others.
func (f frozen) give(g *Graph) {
	if len(f.keys) == 0 {
		return
	}
	nodes := map[string]*Node{}
	for i, k := range f.keys {
		nodes[k] = Parameter(g, k, f.tensors[i].Shape())
	}
	block.Give(g, nodes)
}
