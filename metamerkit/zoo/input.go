package zoo

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
)

// Prepare converts images [B,S,S,3] in [0,1] to the input of a model: resized to the card's
// size with antialiased bicubic interpolation (PIL's weights, without rounding to 8 bits)
// and normalised. It is part of the graph, so gradients reach the pixels.
func Prepare(in card.Input, images *Node) *Node {
	images = resize(images, in.Size)
	g := images.Graph()
	scale, shift := make([]float32, 3), make([]float32, 3)
	for i := range 3 {
		scale[i], shift[i] = float32(1/in.Std[i]), float32(in.Mean[i]/in.Std[i])
	}
	images = Sub(Mul(images, ExpandLeftToRank(Const(g, scale), 4)), ExpandLeftToRank(Const(g, shift), 4))
	if in.Order == "bgr" {
		images = Reverse(images, 3)
	}
	return images
}

// resize multiplies both axes by a matrix of filter weights.
func resize(x *Node, size int) *Node {
	from := x.Shape().Dim(1)
	if from == size {
		return x
	}
	w := ConstTensor(x.Graph(), tensors.FromFlatDataAndDimensions(Bicubic(from, size), size, from))
	x = DotGeneral(w, []int{1}, nil, x, []int{1}, nil) // [H',B,W,C]
	x = DotGeneral(w, []int{1}, nil, x, []int{2}, nil) // [W',H',B,C]
	return TransposeAllAxes(x, 2, 1, 0, 3)
}

// Bicubic returns the [to,from] matrix of antialiased Catmull-Rom resampling of one axis,
// with PIL's weights.
func Bicubic(from, to int) []float32 {
	kernel := func(t float64) float64 {
		switch t = math.Abs(t); {
		case t < 1:
			return (1.5*t-2.5)*t*t + 1
		case t < 2:
			return ((-0.5*t+2.5)*t-4)*t + 2
		}
		return 0
	}
	ratio := float64(from) / float64(to)
	width := max(ratio, 1)
	out := make([]float32, to*from)
	for i := range to {
		centre, sum := (float64(i)+0.5)*ratio, 0.0
		row := make([]float64, from)
		for j := range from {
			row[j] = kernel((float64(j) + 0.5 - centre) / width)
			sum += row[j]
		}
		for j := range from {
			out[i*from+j] = float32(row[j] / sum)
		}
	}
	return out
}

// Tap builds the net for images [B,S,S,3] in [0,1] and returns the activations of the
// layers, in the type of the images. "logits" is a layer as well. Like all functions that
// build graphs it panics where the net lacks a layer.
func (n *Net) Tap(s *model.Scope, in card.Input, images *Node, o stage.Options, layers ...string) []*Node {
	acts := stage.Capture(images.Graph(), o, func() {
		x := Prepare(in, images)
		if n.mixed {
			x = ConvertDType(x, dtypes.BFloat16)
		}
		n.Forward(s, x)
	}, layers...)
	for i, a := range acts {
		acts[i] = stage.As(a, images.DType())
	}
	return acts
}

// Layers returns the names of all layers that the net marks, in order. An input that the
// net cannot take is an error.
func (n *Net) Layers(in card.Input) (names []string, err error) {
	err = n.sketch(in, func(s *model.Scope, images *Node) {
		names = stage.List(images.Graph(), func() { n.Forward(s, Prepare(in, images)) })
	})
	return names, err
}

// Reads returns the scope paths of the variables that the layers depend on, in order of
// creation, and the shapes [1,…] of the layers' activations for one image. A layer that the
// net lacks is an error.
func (n *Net) Reads(in card.Input, layers ...string) (paths []string, acts []shapes.Shape, err error) {
	err = n.sketch(in, func(s *model.Scope, images *Node) {
		for _, a := range n.Tap(s, in, images, stage.Options{}, layers...) {
			acts = append(acts, a.Shape())
		}
		for v := range s.Store().IterVariables() {
			if v.InUseByGraph(images.Graph()) {
				paths = append(paths, v.Path())
			}
		}
	})
	return paths, acts, err
}

// sketch draws a graph that is never compiled.
func (n *Net) sketch(in card.Input, draw func(s *model.Scope, images *Node)) error {
	return sketch(n.Weights, func(s *model.Scope, g *Graph) {
		draw(s, Parameter(g, "images", shapes.Make(dtypes.Float32, 1, in.Size, in.Size, 3)))
	})
}

// Footprint estimates the bytes per image that the forward pass keeps for the gradient: the
// outputs of all nodes up to the layer, for images of size×size pixels. A layer that the net
// lacks is an error.
func (n *Net) Footprint(in card.Input, size int, layer string) (bytes uint64, err error) {
	err = sketch(n.Weights, func(s *model.Scope, g *Graph) {
		x := Parameter(g, "images", shapes.Make(dtypes.Float32, 1, size, size, 3))
		n.Tap(s, in, x, stage.Options{}, layer)
		for _, node := range g.Nodes() {
			if node.Type() != NodeTypeParameter && node.Type() != NodeTypeConstant && node.NumOutputs() == 1 {
				bytes += uint64(node.Shape().Size()) * 4
			}
		}
	})
	return bytes, err
}
