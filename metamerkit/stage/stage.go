// Package stage names points in a model's computation and reads them back.
//
// A layer is a named activation, such as "layer2". A model marks its layers as
// it builds its graph; everything downstream refers to them by name only.
package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// key finds the capture under way in a graph's state.
type key struct{}

// capture is one call of Capture: what it wants and what it has seen.
type capture struct {
	want     []string
	got      map[string]*Node
	seen     []string
	passReLU bool
	visit    func(name string, x *Node) // called with every layer, may be nil
}

// beforeKey finds in a graph's state what went into the ReLUs that end wanted layers.
type beforeKey struct{}

// done unwinds the forward pass when the last wanted layer is there, so that no
// graph ever holds layers behind it.
type done struct{}

// Mark names x as the activation of a layer and returns it.
func Mark(x *Node, name string) *Node {
	c, ok := x.Graph().State(key{}).(*capture)
	if !ok {
		return x
	}
	c.seen = append(c.seen, name)
	if c.visit != nil {
		c.visit(name, x)
	}
	if slices.Contains(c.want, name) {
		if _, twice := c.got[name]; twice {
			panic("stage: a model marks layer " + name + " twice")
		}
		c.got[name] = x
		if len(c.got) == len(c.want) {
			panic(done{})
		}
	}
	return x
}

// ReLU returns max(x, 0) with a gradient of 0 at 0, as in PyTorch (that of Max is 1). NaN
// stays NaN.
func ReLU(x *Node) *Node {
	zero := ZerosLike(x)
	return Where(LessOrEqual(x, zero), zero, x)
}

// MarkReLU applies a ReLU to z and marks the result as the layer called name. In a capture
// with PassReLU the gradient of a requested layer passes this ReLU unchanged (the "fake
// ReLU" of Feather et al. 2023); the value stays the same.
func MarkReLU(z *Node, name string) *Node {
	x := ReLU(z)
	if c, ok := z.Graph().State(key{}).(*capture); ok && slices.Contains(c.want, name) {
		if c.passReLU {
			x = Add(StopGradient(x), Sub(z, StopGradient(z)))
		}
		before, _ := z.Graph().State(beforeKey{}).(map[*Node]*Node)
		if before == nil {
			before = map[*Node]*Node{}
			z.Graph().AttachState(beforeKey{}, before)
		}
		before[x] = z
	}
	return Mark(x, name)
}

// Before returns the input of the ReLU at the end of a captured layer, or nil if the layer
// does not end in a ReLU made by MarkReLU.
func Before(activation *Node) *Node {
	before, _ := activation.Graph().State(beforeKey{}).(map[*Node]*Node)
	return before[activation]
}

// As converts a captured activation to another type of number. Before accepts the result as
// well.
func As(activation *Node, kind dtypes.DType) *Node {
	x := ConvertDType(activation, kind)
	if z := Before(activation); z != nil && x != activation {
		activation.Graph().State(beforeKey{}).(map[*Node]*Node)[x] = ConvertDType(z, kind)
	}
	return x
}

// Wanted returns the layers that the current capture in g requests, none for List, and
// whether there is a capture. Models that build their graph on demand build only these
// layers.
func Wanted(g *Graph) (layers []string, capturing bool) {
	c, ok := g.State(key{}).(*capture)
	if !ok {
		return nil, false
	}
	return slices.Clone(c.want), true
}

// Options change what a capture does.
type Options struct {
	PassReLU bool // see MarkReLU
}

// UnknownLayerError reports layers that a forward pass did not mark.
type UnknownLayerError struct {
	Missing, Known []string
}

func (e *UnknownLayerError) Error() string {
	return fmt.Sprintf("the model has no layer %s: expected one of %s", strings.Join(e.Missing, ", "), strings.Join(e.Known, ", "))
}

// Capture runs forward and returns the activations of the named layers in the given order.
// The graph has no nodes after the last of them. It panics with an *UnknownLayerError if
// forward does not mark a layer, as graph code does.
func Capture(g *Graph, o Options, forward func(), layers ...string) []*Node {
	c := run(g, &capture{want: uniq(layers), got: map[string]*Node{}, passReLU: o.PassReLU}, forward)
	var missing []string
	out := make([]*Node, len(layers))
	for i, name := range layers {
		if out[i] = c.got[name]; out[i] == nil {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		panic(&UnknownLayerError{missing, c.seen})
	}
	return out
}

// List runs forward and returns the names of all layers that it marks, in order.
func List(g *Graph, forward func()) []string {
	return run(g, &capture{got: map[string]*Node{}}, forward).seen
}

// Each runs forward and calls visit for each layer that it marks, in order.
func Each(g *Graph, forward func(), visit func(name string, x *Node)) {
	run(g, &capture{got: map[string]*Node{}, visit: visit}, forward)
}

func run(g *Graph, c *capture, forward func()) (result *capture) {
	result = c
	outer := g.State(key{})
	g.AttachState(key{}, c)
	defer func() {
		g.AttachState(key{}, outer)
		if r := recover(); r != nil {
			if _, ok := r.(done); !ok {
				panic(r)
			}
		}
	}()
	forward()
	return c
}

func uniq(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
