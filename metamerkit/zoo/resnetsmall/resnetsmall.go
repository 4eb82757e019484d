// Package resnetsmall defines the small ResNets without batch normalisation that
// α,β-CROWN verifies (resnet2b, resnet4b: Wang et al. 2021, arXiv:2103.06624).
// Importing it registers the family with package zoo.
//
// Parameters are named as in Verified-Intelligence/alpha-beta-CROWN.
package resnetsmall

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("resnet_small", newForward) }

// config is what a card of this family says.
type config struct {
	Stem    int   `json:"stem"`    // channels of the first convolution
	Layers  []int `json:"layers"`  // channels of each stage of two blocks, the first with stride 2
	Classes int   `json:"classes"` // 0 for none; default 10
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Classes: 10}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if c.Stem < 1 || len(c.Layers) == 0 || c.Classes < 0 {
		return nil, fmt.Errorf("stem %d, layers %v and classes %d: expected numbers above 0 and at least 0 classes", c.Stem, c.Layers, c.Classes)
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = stage.MarkReLU(block.Conv(block.At(s, "conv1"), x, c.Stem, 3, 2, 1), "conv1") // [B,16,16,stem]
	for i, width := range c.Layers {                                                  // each halves the sides
		x = block.ReLU(residual(block.At(s, "layer%d.0", i+1), x, width, 2))
		x = stage.MarkReLU(residual(block.At(s, "layer%d.1", i+1), x, width, 1), fmt.Sprintf("layer%d", i+1))
	}
	x = TransposeAllAxes(x, 0, 3, 1, 2) // the files flatten channel, height, width
	x = Reshape(x, x.Shape().Dim(0), -1)
	x = stage.MarkReLU(block.Linear(block.At(s, "linear1"), x, 100), "linear1")
	return zoo.Head(block.At(s, "linear2"), x, c.Classes)
}

// residual is one basic block up to its last ReLU.
func residual(s *model.Scope, x *Node, out, stride int) *Node {
	y := block.ReLU(block.Conv(block.At(s, "conv1"), x, out, 3, stride, 1))
	y = block.Conv(block.At(s, "conv2"), y, out, 3, 1, 1)
	if stride != 1 {
		x = block.Conv(block.At(s, "shortcut.0"), x, out, 1, stride, 0)
	}
	return Add(y, x)
}
