// Package squeezenet defines SqueezeNet 1.0 and 1.1 (Iandola et al. 2016,
// arXiv:1602.07360). Importing it registers the family with package zoo.
//
// Parameters are named as in torchvision's squeezenet.py; layers are named as in the
// paper (conv1, fire2 to fire9, conv10).
package squeezenet

import (
	"encoding/json"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("squeezenet", newForward) }

// config is what a card of this family says.
type config struct {
	Version string `json:"version"` // 1.0 (default) or 1.1
	Classes int    `json:"classes"` // 0 for none; default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Version: "1.0", Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if c.Version != "1.0" && c.Version != "1.1" || c.Classes < 0 {
		return nil, fmt.Errorf("config: version %q and classes %d, expected 1.0 or 1.1, and at least 0 classes", c.Version, c.Classes)
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	stem, out, before := block.Window{K: 7, Stride: 2}, 96, []int{2, 5, 9} // pools stand before these fires
	if c.Version == "1.1" {
		stem, out, before = block.Window{K: 3, Stride: 2}, 64, []int{2, 4, 6}
	}
	x = stage.MarkReLU(stem.Conv(block.At(s, "features.0"), x, out), "conv1")
	at := 2
	for i := 2; i <= 9; i++ {
		if slices.Contains(before, i) {
			x = block.Window{K: 3, Stride: 2, Ceil: true}.Max(x)
			at++
		}
		x = stage.MarkReLU(fire(block.At(s, "features.%d", at), x, 16*(i/2)), fmt.Sprintf("fire%d", i))
		at++
	}
	if c.Classes == 0 {
		return zoo.Embedding(ReduceMean(x, 1, 2))
	}
	x = block.Window{K: 1}.Conv(block.At(s, "classifier.1"), x, c.Classes)
	x = stage.MarkReLU(x, "conv10") // logits are means of what passes the ReLU
	return stage.Mark(ReduceMean(x, 1, 2), "logits")
}

// fire squeezes x to n channels and expands them to 8n by 1×1 and 3×3 kernels, up to
// the last ReLU.
func fire(s *model.Scope, x *Node, n int) *Node {
	one := block.Window{K: 1}
	x = block.ReLU(one.Conv(block.At(s, "squeeze"), x, n))
	return Concatenate([]*Node{
		one.Conv(block.At(s, "expand1x1"), x, 4*n),
		block.Conv(block.At(s, "expand3x3"), x, 4*n, 3, 1, 1),
	}, 3)
}
