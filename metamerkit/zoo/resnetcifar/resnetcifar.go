// Package resnetcifar defines the CIFAR ResNets of He et al. 2016
// (arXiv:1512.03385, §4.2): three stages of 16, 32 and 64 channels with n basic
// blocks each, depth 6n+2, and parameter-free "option A" shortcuts. Importing it
// registers the family with package zoo.
//
// Parameters are named as in akamaster/pytorch_resnet_cifar10.
package resnetcifar

import (
	"encoding/json"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("resnet_cifar", newForward) }

// config is what a card of this family says.
type config struct {
	Depth   int    `json:"depth"`  // 20, 32, 44, 56 …: 6n+2
	Widths  [3]int `json:"widths"` // channels of each stage, default 16, 32, 64
	Stride  int    `json:"stride"` // of the first convolution, default 1
	Classes int    `json:"classes"`
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Widths: [3]int{16, 32, 64}, Stride: 1, Classes: 10}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if c.Depth < 8 || c.Depth > 1202 || (c.Depth-2)%6 != 0 || c.Classes < 0 {
		return nil, fmt.Errorf("depth %d and classes %d: expected a depth of 6n+2 and at least 0 classes", c.Depth, c.Classes)
	}
	if w := c.Widths; w[0] < 1 || w[1] < w[0] || w[2] < w[1] || (w[1]-w[0])%2 != 0 || (w[2]-w[1])%2 != 0 || c.Stride < 1 || c.Stride > 4 {
		return nil, fmt.Errorf("widths %v and stride %d: expected channels that grow by even numbers, and a stride of 1 to 4", c.Widths, c.Stride)
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = block.ConvNorm(block.At(s, "conv1"), block.At(s, "bn1"), x, c.Widths[0], 3, c.Stride, 1) // [B,32,32,16]
	x = stage.MarkReLU(x, "conv1")
	for i, width := range c.Widths { // [B,32,32,16] [B,16,16,32] [B,8,8,64]
		n := (c.Depth - 2) / 6
		for j := range n {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			z := residual(block.At(s, "layer%d.%d", i+1, j), x, width, stride)
			name := fmt.Sprintf("layer%d.%d", i+1, j)
			if j == n-1 {
				name = fmt.Sprintf("layer%d", i+1)
			}
			x = stage.MarkReLU(z, name)
		}
	}
	x = stage.Mark(ReduceMean(x, 1, 2), "avgpool") // [B,64]
	return zoo.Head(block.At(s, "linear"), x, c.Classes)
}

// residual is one basic block up to its last ReLU.
func residual(s *model.Scope, x *Node, out, stride int) *Node {
	y := block.ReLU(block.ConvNorm(block.At(s, "conv1"), block.At(s, "bn1"), x, out, 3, stride, 1))
	y = block.ConvNorm(block.At(s, "conv2"), block.At(s, "bn2"), y, out, 3, 1, 1)
	if stride == 2 { // option A: every second pixel, zeros for the new channels
		x = Slice(x, AxisRange(), AxisRange().Stride(2), AxisRange().Stride(2))
		side := (out - x.Shape().Dim(3)) / 2
		x = Pad(x, ScalarZero(x.Graph(), x.DType()), compute.PadAxis{}, compute.PadAxis{}, compute.PadAxis{}, compute.PadAxis{Start: side, End: side})
	}
	return Add(y, x)
}
