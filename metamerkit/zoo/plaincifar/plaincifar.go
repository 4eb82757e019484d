// Package plaincifar defines plain convolutional networks for small images, after
// VGG (Simonyan & Zisserman 2015, arXiv:1409.1556) with batch normalisation: blocks
// of 3×3 convolutions, 2×2 max pooling between them, no shortcuts, and a mean in
// place of VGG's fully connected layers. Importing it registers the family with
// package zoo.
//
// Parameters are named in the manner of torchvision: block1.0.conv.weight,
// block1.0.norm.weight …, classifier.weight. There are no published weights;
// metamers train makes them.
package plaincifar

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("plain_cifar", newForward) }

// config is what a card of this family says.
type config struct {
	Widths  []int `json:"widths"` // channels of each block
	Depth   int   `json:"depth"`  // convolutions a block, default 2
	Stride  int   `json:"stride"` // of the first convolution, default 1
	Classes int   `json:"classes"`
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Depth: 2, Stride: 1, Classes: 10}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if len(c.Widths) == 0 || len(c.Widths) > 6 || c.Depth < 1 || c.Depth > 100 || c.Stride < 1 || c.Stride > 4 || c.Classes < 0 {
		return nil, fmt.Errorf("config: widths %v, depth %d, stride %d, classes %d: expected 1 to 6 blocks, 1 to 100 convolutions each, a stride of 1 to 4, and at least 0 classes", c.Widths, c.Depth, c.Stride, c.Classes)
	}
	for _, w := range c.Widths {
		if w < 1 {
			return nil, fmt.Errorf("config: widths %v: expected channels above 0", c.Widths)
		}
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	stride := c.Stride
	for i, width := range c.Widths { // at 32² and stride 1: [B,32,32,·] [B,16,16,·] [B,8,8,·]
		if i > 0 {
			x = halve(x)
		}
		in := block.At(s, "block%d", i+1)
		for j := range c.Depth {
			y := block.ConvNorm(block.At(in, "%d.conv", j), block.At(in, "%d.norm", j), x, width, 3, stride, 1)
			stride = 1
			if j < c.Depth-1 {
				x = block.ReLU(y)
			} else {
				x = stage.MarkReLU(y, fmt.Sprintf("block%d", i+1))
			}
		}
	}
	x = stage.Mark(ReduceMean(x, 1, 2), "avgpool") // [B,C]
	return zoo.Head(block.At(s, "classifier"), x, c.Classes)
}

// halve is the largest of each 2×2 pixels; an odd last row or column is left out.
func halve(x *Node) *Node {
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1)/2, x.Shape().Dim(2)/2, x.Shape().Dim(3)
	if 2*h != x.Shape().Dim(1) || 2*w != x.Shape().Dim(2) {
		x = Slice(x, AxisRange(), AxisRange(0, 2*h), AxisRange(0, 2*w))
	}
	x = Reshape(x, b, h, 2, w, 2, c)
	row := func(i int) *Node { return Squeeze(Slice(x, AxisRange(), AxisRange(), AxisElem(i)), 2) } // [B,H/2,W/2,2,C]
	x = Max(row(0), row(1))
	col := func(i int) *Node {
		return Squeeze(Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisElem(i)), 3)
	}
	return Max(col(0), col(1))
}
