// Package resnet defines ResNets (He et al. 2015, arXiv:1512.03385), wide ResNets
// (Zagoruyko & Komodakis 2016, arXiv:1605.07146) and ResNeXts (Xie et al. 2016,
// arXiv:1611.05431) for ImageNet. Importing it registers the family with package zoo.
//
// Parameters are named as in timm's and torchvision's resnet.py. The stride of a
// bottleneck is in its 3×3 convolution, as in both.
package resnet

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("resnet", newForward) }

// config is what a card of this family says, in timm's words.
type config struct {
	Block       string `json:"block"`       // bottleneck (default) or basic
	Layers      []int  `json:"layers"`      // blocks of each of the four stages
	Channels    []int  `json:"channels"`    // of each stage, default 64, 128, 256, 512; bottlenecks end in four times that
	BaseWidth   int    `json:"base_width"`  // channels of a group where a stage has 64, default 64
	Cardinality int    `json:"cardinality"` // groups of the 3×3 convolutions of bottlenecks, default 1
	Classes     int    `json:"classes"`     // default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Block: "bottleneck", Channels: []int{64, 128, 256, 512}, BaseWidth: 64, Cardinality: 1, Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Block != "basic" && c.Block != "bottleneck":
		return nil, fmt.Errorf("config: block is %q, expected basic or bottleneck", c.Block)
	case len(c.Layers) != 4 || len(c.Channels) != 4:
		return nil, fmt.Errorf("config: layers %v and channels %v, expected four numbers each", c.Layers, c.Channels)
	case c.Block == "basic" && (c.BaseWidth != 64 || c.Cardinality != 1):
		return nil, fmt.Errorf("config: base_width %d and cardinality %d, expected 64 and 1 for basic blocks", c.BaseWidth, c.Cardinality)
	case c.BaseWidth < 1 || c.Cardinality < 1 || c.Classes < 0:
		return nil, fmt.Errorf("config: base_width %d, cardinality %d, classes %d, expected 1 or more (0 or more classes)", c.BaseWidth, c.Cardinality, c.Classes)
	}
	for i := range 4 {
		if c.Layers[i] < 1 || c.Layers[i] > 1000 || c.Channels[i] < 1 {
			return nil, fmt.Errorf("config: layers %v and channels %v, expected 1 to 1000 blocks and positive channels", c.Layers, c.Channels)
		}
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = block.ConvNorm(block.At(s, "conv1"), block.At(s, "bn1"), x, 64, 7, 2, 3) // [B,112,112,64]
	x = stage.MarkReLU(x, "conv1_relu1")
	x = stage.Mark(block.PoolMax(x, 3, 2, 1), "maxpool") // [B,56,56,64]
	for i, n := range c.Layers {                         // [B,56,56,·] [B,28,28,·] [B,14,14,·] [B,7,7,·]
		for j := range n {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			x = c.residual(block.At(s, "layer%d.%d", i+1, j), x, c.Channels[i], stride)
			name := fmt.Sprintf("layer%d.%d", i+1, j)
			if j == n-1 {
				name = fmt.Sprintf("layer%d", i+1)
			}
			x = stage.MarkReLU(x, name)
		}
	}
	x = stage.Mark(ReduceMean(x, 1, 2), "avgpool") // [B,2048]
	return zoo.Head(block.At(s, "fc"), x, c.Classes)
}

// residual is one block up to its last ReLU.
func (c config) residual(s *model.Scope, x *Node, planes, stride int) *Node {
	conv := func(i int, x *Node, out, k, stride, groups int) *Node {
		w := block.Window{K: k, Stride: stride, Pad: k / 2, Groups: groups}
		return w.ConvNorm(block.At(s, "conv%d", i), block.At(s, "bn%d", i), x, out, 1e-5)
	}
	var y *Node
	out := planes
	if c.Block == "basic" {
		y = block.ReLU(conv(1, x, out, 3, stride, 1))
		y = conv(2, y, out, 3, 1, 1)
	} else {
		out = 4 * planes
		width := planes * c.BaseWidth / 64 * c.Cardinality
		y = block.ReLU(conv(1, x, width, 1, 1, 1))
		y = block.ReLU(conv(2, y, width, 3, stride, c.Cardinality))
		y = conv(3, y, out, 1, 1, 1)
	}
	if stride != 1 || x.Shape().Dim(-1) != out {
		x = block.ConvNorm(block.At(s, "downsample.0"), block.At(s, "downsample.1"), x, out, 1, stride, 0)
	}
	return Add(y, x)
}
