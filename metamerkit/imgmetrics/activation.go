package imgmetrics

import (
	"fmt"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// netSource is a model whose weights a metric's graph reads.
type netSource struct {
	net   *zoo.Net
	paths []string // of the variables, in order
}

// ActivationDistance compares an image with its reference by a model's activations at
// layers (none: the layers of the card's stages). It is the formula of LPIPS (Zhang et al.
// 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual Metric) without
// learned weights: at each position of a layer the channels are scaled to unit length, and
// squared differences are summed over channels and averaged over positions. The value is
// the mean over layers, 0 to 4. The metric's name is activation:MODEL. An unknown layer is
// an error.
func ActivationDistance(c *card.Card, net *zoo.Net, layers ...string) (Metric, error) {
	if len(layers) == 0 {
		for _, s := range metamer.Stages {
			if l, ok := c.Stages[s]; ok {
				layers = append(layers, l.Layer)
			}
		}
	}
	paths, _, err := net.Reads(c.Input, layers...)
	if err != nil {
		return Metric{}, fmt.Errorf("imgmetrics: model %s: %w", c.Name, err)
	}
	return Metric{
		Name: "activation:" + c.Name, Title: "Activation distance (" + c.Name + ")", Better: Lower, Reference: true,
		Noise: Rises, Blur: Rises, JPEG: Rises,
		Cite:   "Zhang et al. 2018 without learned weights (not LPIPS); layers " + strings.Join(layers, ", "),
		Agrees: "NumPy on PyTorch's activations",
		Stats: func(f *Frame) *Node {
			both := Concatenate([]*Node{f.Images, f.Reference}, 0)
			acts := net.Tap(f.scope, c.Input, both, stage.Options{}, layers...)
			var sum *Node
			for _, a := range acts {
				d := unitDistance(a, f.B)
				if sum == nil {
					sum = d
				} else {
					sum = Add(sum, d)
				}
			}
			return columns(ConvertDType(DivScalar(sum, float64(len(acts))), dtypes.Float64))
		},
		net: &netSource{net, paths},
	}, nil
}

// unitDistance is the distance of the first b of a's rows from the second b, [b].
// The last axis holds the channels.
func unitDistance(a *Node, b int) *Node {
	last := a.Rank() - 1
	norm := Sqrt(ReduceAndKeep(Square(a), ReduceSum, last))
	a = Div(a, AddScalar(norm, 1e-10))
	d := ReduceSum(Square(Sub(along(a, 0, 0, b), along(a, 0, b, 2*b))), last) // [b,…]
	if d.Rank() == 1 {
		return d
	}
	return ReduceMean(Reshape(d, b, -1), 1)
}
