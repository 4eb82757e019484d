package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// What a graph computes from frozen weights alone (kernels with a batch normalisation
// folded in, transformed kernels) need not be computed in every step. A graph that
// Record was called for notes it; one that got it by Give reads it there.

// onceKey finds a graph's noted or given nodes in its state.
type onceKey struct{}

// Noted is what one forward pass computes from frozen weights alone.
type Noted struct {
	Keys  []string // in the order of the pass
	Nodes map[string]*Node
	given bool
}

// Record notes what is drawn by Once in g from now on.
func Record(g *Graph) *Noted {
	n := &Noted{Nodes: map[string]*Node{}}
	g.AttachState(onceKey{}, n)
	return n
}

// Give has g read these nodes, by the keys that Record gave, in place of drawing them.
func Give(g *Graph, nodes map[string]*Node) {
	g.AttachState(onceKey{}, &Noted{Nodes: nodes, given: true})
}

// Once is what draw makes of the frozen weights in scope s, and nothing else. name tells
// apart what is made in one scope.
func Once(s *model.Scope, g *Graph, name string, draw func() *Node) *Node {
	n, ok := g.State(onceKey{}).(*Noted)
	if !ok {
		return draw()
	}
	key := s.Scope() + "#" + name
	if ready := n.Nodes[key]; ready != nil || n.given {
		if ready == nil {
			return draw()
		}
		return ready
	}
	node := draw()
	n.Keys, n.Nodes[key] = append(n.Keys, key), node
	return node
}
