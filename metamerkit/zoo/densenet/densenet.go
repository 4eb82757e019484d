// Package densenet defines DenseNets (Huang et al. 2016, arXiv:1608.06993). Importing it
// registers the family with package zoo.
//
// Parameters are named as in timm's and torchvision's densenet.py.
package densenet

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("densenet", newForward) }

// config is what a card of this family says, in timm's words.
type config struct {
	BlockConfig []int `json:"block_config"` // layers of each of the four dense blocks
	GrowthRate  int   `json:"growth_rate"`  // channels that a layer adds, default 32; the stem has twice that
	BNSize      int   `json:"bn_size"`      // channels of a layer's bottleneck in growth rates, default 4
	Classes     int   `json:"classes"`      // default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{GrowthRate: 32, BNSize: 4, Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if len(c.BlockConfig) != 4 || c.GrowthRate < 1 || c.BNSize < 1 || c.Classes < 0 {
		return nil, fmt.Errorf("config: block_config %v, growth_rate %d, bn_size %d, classes %d, expected four blocks, positive numbers and at least 0 classes", c.BlockConfig, c.GrowthRate, c.BNSize, c.Classes)
	}
	for _, n := range c.BlockConfig {
		if n < 1 || n > 1000 {
			return nil, fmt.Errorf("config: block_config %v, expected 1 to 1000 layers a block", c.BlockConfig)
		}
	}
	return c.forward, nil
}

const eps = 1e-5

func (c config) forward(s *model.Scope, x *Node) *Node {
	root, s := s, block.At(s, "features")
	x = block.ConvNorm(block.At(s, "conv0"), block.At(s, "norm0"), x, 2*c.GrowthRate, 7, 2, 3)
	x = stage.MarkReLU(x, "conv0") // [B,112,112,64]
	x = stage.Mark(block.PoolMax(x, 3, 2, 1), "pool0")
	for i, n := range c.BlockConfig { // [B,56,56,·] [B,28,28,·] [B,14,14,·] [B,7,7,·]
		for j := range n {
			new := c.layer(block.At(s, "denseblock%d.denselayer%d", i+1, j+1), x)
			x = Concatenate([]*Node{x, new}, 3)
		}
		x = stage.Mark(x, fmt.Sprintf("denseblock%d", i+1))
		if i == 3 {
			break
		}
		t := block.At(s, "transition%d", i+1)
		x = block.ReLU(block.Norm(block.At(t, "norm"), x, eps))
		x = block.Window{K: 1}.ConvNoBias(block.At(t, "conv"), x, x.Shape().Dim(3)/2)
		x = stage.Mark(block.PoolMean(x, 2), fmt.Sprintf("transition%d", i+1))
	}
	x = stage.MarkReLU(block.Norm(block.At(s, "norm5"), x, eps), "norm5")
	x = stage.Mark(ReduceMean(x, 1, 2), "avgpool")
	return zoo.Head(block.At(root, "classifier"), x, c.Classes)
}

// layer makes GrowthRate new channels of all before.
func (c config) layer(s *model.Scope, x *Node) *Node {
	x = block.ReLU(block.Norm(block.At(s, "norm1"), x, eps))
	x = block.ConvNorm(block.At(s, "conv1"), block.At(s, "norm2"), x, c.BNSize*c.GrowthRate, 1, 1, 0)
	return block.Window{K: 3, Pad: 1}.ConvNoBias(block.At(s, "conv2"), block.ReLU(x), c.GrowthRate)
}
