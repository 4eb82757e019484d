package synth

import (
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
		st := r.store()
		g := NewGraph(r.backend, c.Name+" weights")
		defer g.Finalize()
		x := Parameter(g, "images", r.imageShape())
		parameters(g, st, r.paths)
		noted := block.Record(g)
		r.net.Tap(st.RootScope(), c.Input, x, stage.Options{}, layers...)
		f.keys = noted.Keys
		var lacking []string
		var nodes []*Node
		for _, k := range f.keys {
			if d.Tensors[k] == nil {
				lacking = append(lacking, k)
				nodes = append(nodes, MulScalar(noted.Nodes[k], 1)) // behind the last variable: see drawTarget
			}
		}
		if lacking == nil {
			return
		}
		compile(g, nodes...)
		for i, t := range g.Run(r.inputs(tensors.FromShape(r.imageShape()))...) {
			d.Tensors[lacking[i]] = t
		}
	})
	for _, k := range f.keys {
		f.tensors = append(f.tensors, d.Tensors[k])
	}
	return f, err
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
