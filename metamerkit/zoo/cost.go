package zoo

import (
	"iter"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// Layer describes a layer that a net marks.
type Layer struct {
	Name  string
	Shape []int // of the activations for one image
	// Share is the share of the net's computation that the layer needs, 0 to 1:
	// multiplications and additions of matrix products and convolutions, and an operation for
	// each element of any other result.
	Share float64
	// Whole says that the output depends on the image through this layer alone, as it does after
	// a residual block and not inside one.
	Whole bool
	// Learned says that the layer depends on a matrix product or convolution with weights, unlike
	// layers that only normalise the pixels.
	Learned bool
}

// Describe returns the layers in order, with shapes without the batch and fractions of the
// computation. An input that the net cannot take is an error.
func (n *Net) Describe(in card.Input) (out []Layer, err error) {
	err = n.sketch(in, func(s *model.Scope, images *Node) {
		var at []*Node
		stage.Each(images.Graph(), func() { n.Forward(s, Prepare(in, images)) }, func(name string, x *Node) {
			at = append(at, x)
			out = append(out, Layer{Name: name, Shape: slices.Clone(x.Shape().Dimensions[1:])})
		})
		if len(at) == 0 {
			return
		}
		c := newCosts(images)
		all := c.of(at[len(at)-1])
		whole := c.whole(at[len(at)-1])
		for i, x := range at {
			out[i].Share = c.of(x) / all
			out[i].Whole = whole[x]
			out[i].Learned = c.learned(x)
		}
	})
	return out, err
}

// costs are the costs of the nodes of a graph.
type costs struct {
	images *Node
	nodes  []*Node           // those that depend on the images, each after its inputs
	cost   map[*Node]float64 // of a node alone
}

func newCosts(images *Node) *costs {
	c := &costs{images: images, cost: map[*Node]float64{images: 0}, nodes: []*Node{images}}
	for _, n := range images.Graph().Nodes() {
		if n == images || !slices.ContainsFunc(n.Inputs(), c.depends) {
			continue
		}
		c.nodes = append(c.nodes, n)
		c.cost[n] = operations(n)
	}
	return c
}

func (c *costs) depends(n *Node) bool { _, ok := c.cost[n]; return ok }

// of is the cost of a node and of all that it depends on.
func (c *costs) of(n *Node) (sum float64) {
	for n := range ancestors(n) {
		sum += c.cost[n]
	}
	return sum
}

// learned says whether a node depends on a product of the images and weights.
func (c *costs) learned(n *Node) bool {
	return reaches(n, func(n *Node) bool {
		return (n.Type() == NodeTypeConvGeneral || n.Type() == NodeTypeDotGeneral) && c.depends(n) &&
			slices.ContainsFunc(n.Inputs(), func(in *Node) bool {
				return !c.depends(in) && reaches(in, func(n *Node) bool { return n.Type() == NodeTypeParameter })
			})
	})
}

// reaches says whether a node or one that it depends on is wanted.
func reaches(n *Node, wanted func(n *Node) bool) bool {
	for n := range ancestors(n) {
		if wanted(n) {
			return true
		}
	}
	return false
}

// ancestors yields a node and all that it depends on, each once.
func ancestors(n *Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		seen := map[*Node]bool{n: true}
		for next := []*Node{n}; len(next) > 0; {
			n, next = next[len(next)-1], next[:len(next)-1]
			if !yield(n) {
				return
			}
			for _, in := range n.Inputs() {
				if !seen[in] {
					seen[in] = true
					next = append(next, in)
				}
			}
		}
	}
}

// whole tells the nodes through which every path from the images to the output goes. Paths are
// counted modulo a prime.
func (c *costs) whole(output *Node) map[*Node]bool {
	const prime = 1<<31 - 1
	from, to := map[*Node]uint64{c.images: 1}, map[*Node]uint64{output: 1}
	for _, n := range c.nodes {
		for _, in := range n.Inputs() {
			from[n] = (from[n] + from[in]) % prime
		}
	}
	for _, n := range slices.Backward(c.nodes) {
		for _, in := range n.Inputs() {
			to[in] = (to[in] + to[n]) % prime
		}
	}
	out := map[*Node]bool{}
	for _, n := range c.nodes {
		out[n] = to[n] != 0 && from[n]*to[n]%prime == from[output]
	}
	return out
}

// operations is how many multiplications and additions a node takes: twice the products that
// a matrix product or a convolution sums, an operation an element otherwise.
func operations(n *Node) float64 {
	if n.NumOutputs() != 1 {
		return 0
	}
	size, in := float64(n.Shape().Size()), n.Inputs()
	switch n.Type() {
	case NodeTypeConvGeneral:
		kernel := in[1].Shape() // HWIO or OIHW
		channels := kernel.Dim(-1)
		if !slices.Contains(n.Shape().Dimensions[1:], channels) {
			channels = kernel.Dim(0)
		}
		return 2 * size * float64(kernel.Size()) / float64(channels)
	case NodeTypeDotGeneral:
		a, b := in[0].Shape(), in[1].Shape()
		// The result is [batch, rest of a, rest of b]; how many axes are summed is not told,
		// but the sizes tell which number is possible.
		for summed := 1; ; summed++ {
			batched := a.Rank() + b.Rank() - n.Rank() - 2*summed
			if batched < 0 {
				return size
			}
			batch := 1
			for _, d := range n.Shape().Dimensions[:min(batched, n.Rank())] {
				batch *= d
			}
			square := float64(a.Size()) * float64(b.Size()) / (float64(batch) * size)
			if root := math.Round(math.Sqrt(square)); root*root == square {
				return 2 * size * root
			}
		}
	case NodeTypeReshape, NodeTypeTranspose, NodeTypeBroadcastInDim, NodeTypeSlice, NodeTypeConcatenate, NodeTypeReverse, NodeTypePad,
		NodeTypeConvertDType, NodeTypeIdentity, NodeTypeGather:
		return 0
	}
	return size
}

// Propose chooses a layer for each stage where the card names none: early and middle are
// nearest to one and two thirds of the computation (of layers within a hundredth, the
// last), and late is the last layer before the output. Layers through which all computation
// passes are preferred, and layers without learned weights are used only if there are no
// others.
func Propose(layers []Layer) map[string]string {
	n := len(layers)
	for last := layers[n-1]; n > 1 && slices.Equal(layers[n-1].Shape, last.Shape); n-- {
	}
	fit := layers[:n]
	if learned := slices.DeleteFunc(slices.Clone(fit), func(l Layer) bool { return !l.Learned }); len(learned) > 0 {
		fit = learned
	}
	if whole := slices.DeleteFunc(slices.Clone(fit), func(l Layer) bool { return !l.Whole }); len(whole) >= 3 {
		fit = whole
	}
	// A layer that only rearranges the one before it, such as a reshape, gives way to that.
	size := func(k int) (n int) {
		n = 1
		for _, d := range fit[k].Shape {
			n *= d
		}
		return n
	}
	name := func(k int) string {
		for k > 0 && fit[k].Share == fit[k-1].Share && size(k) == size(k-1) {
			k--
		}
		return fit[k].Name
	}
	out := map[string]string{metamer.Stages[2]: name(len(fit) - 1)}
	for i, share := range []float64{1. / 3, 2. / 3} {
		best := 0
		for k, l := range fit {
			if math.Abs(l.Share-share) < math.Abs(fit[best].Share-share) {
				best = k
			}
		}
		for k := best; k < len(fit); k++ {
			if math.Abs(fit[k].Share-share) <= math.Abs(fit[best].Share-share)+.01 {
				best = k
			}
		}
		out[metamer.Stages[i]] = name(best)
	}
	return out
}
