// Package alexnet defines AlexNet in the form that torchvision has (Krizhevsky 2014,
// arXiv:1404.5997, "One weird trick"). Importing it registers the family with package
// zoo.
//
// Parameters are named as in torchvision's alexnet.py. Layers are those of Feather et
// al. 2023: relu0 to relu4 are the convolutions, fc0_relu and fc1_relu the hidden layers
// of the classifier.
package alexnet

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("alexnet", newForward) }

// config is what a card of this family says.
type config struct {
	Classes int `json:"classes"` // 0 for none; default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if c.Classes < 0 {
		return nil, fmt.Errorf("config: classes %d, expected 0 or more", c.Classes)
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	layer, at := 0, 0
	conv := func(out int, w block.Window) {
		x = stage.MarkReLU(w.Conv(block.At(s, "features.%d", at), x, out), fmt.Sprintf("relu%d", layer))
		layer, at = layer+1, at+2 // a convolution and a ReLU in torchvision's numbering
	}
	pool := func() {
		x = stage.Mark(block.PoolMax(x, 3, 2, 0), fmt.Sprintf("maxpool%d", layer-1))
		at++
	}
	conv(64, block.Window{K: 11, Stride: 4, Pad: 2}) // [B,55,55,64]
	pool()                                           // [B,27,27,64]
	conv(192, block.Window{K: 5, Pad: 2})
	pool() // [B,13,13,192]
	conv(384, block.Window{K: 3, Pad: 1})
	conv(256, block.Window{K: 3, Pad: 1})
	conv(256, block.Window{K: 3, Pad: 1})
	pool()                                                 // [B,6,6,256]
	x = stage.Mark(block.PoolTo(x, 6), "avgpool")          // as it is, for images of 224²
	x = Reshape(TransposeAllAxes(x, 0, 3, 1, 2), -1, 9216) // PyTorch flattens channel, row, column
	x = stage.MarkReLU(block.Linear(block.At(s, "classifier.1"), x, 4096), "fc0_relu")
	x = stage.MarkReLU(block.Linear(block.At(s, "classifier.4"), x, 4096), "fc1_relu")
	return zoo.Head(block.At(s, "classifier.6"), x, c.Classes)
}
