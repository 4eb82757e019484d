package block

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Values that a graph computes from frozen weights alone (kernels with a batch normalisation
// folded in, transformed kernels) need not be computed in every step. A graph for which
// Record was called notes them; a graph for which Give was called uses the given nodes.

// onceKey finds a graph's noted or given nodes in its state.
type onceKey struct{}

// Noted holds the values that a forward pass computes from frozen weights alone.
type Noted struct {
	Keys  []string // in the order of the pass
	Nodes map[string]*Node
	given bool
}

// Record notes all values that Once builds in g from now on.
func Record(g *Graph) *Noted {
	n := &Noted{Nodes: map[string]*Node{}}
	g.AttachState(onceKey{}, n)
	return n
}

// Give makes g use these nodes instead of building them. The keys are those of Record.
func Give(g *Graph, nodes map[string]*Node) {
	g.AttachState(onceKey{}, &Noted{Nodes: nodes, given: true})
}

// Once returns what draw builds from the frozen weights in scope s alone, computed once per
// net. The name distinguishes the values of one scope.
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
