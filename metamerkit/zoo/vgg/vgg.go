// Package vgg defines the VGG networks (Simonyan & Zisserman 2014, arXiv:1409.1556),
// with batch normalisation or without. Importing it registers the family with package
// zoo.
//
// Parameters are named as in timm's vgg.py, whose classifier is convolutions. Layers
// are conv1_1 to conv5_4 (after the ReLU), pool1 to pool5, fc6, fc7.
package vgg

import (
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("vgg", newForward, torchvision) }

// config is what a card of this family says.
type config struct {
	Layers   []int   `json:"layers"`    // convolutions of each of the five blocks
	Channels []int   `json:"channels"`  // of each block, default 64, 128, 256, 512, 512
	MLPRatio float64 `json:"mlp_ratio"` // width of the classifier's first layer in that of its second, 4096; default 1
	Norm     bool    `json:"norm"`      // with batch normalisation
	Classes  int     `json:"classes"`   // default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Channels: []int{64, 128, 256, 512, 512}, MLPRatio: 1, Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if len(c.Layers) != 5 || len(c.Channels) != 5 || !(c.MLPRatio > 0 && c.MLPRatio <= 16) || c.Classes < 0 {
		return nil, fmt.Errorf("config: layers %v, channels %v, mlp_ratio %v, classes %d, expected five numbers of layers and channels, positive numbers and at least 0 classes", c.Layers, c.Channels, c.MLPRatio, c.Classes)
	}
	for i := range 5 {
		if c.Layers[i] < 1 || c.Layers[i] > 100 || c.Channels[i] < 1 {
			return nil, fmt.Errorf("config: layers %v and channels %v, expected 1 to 100 layers and positive channels", c.Layers, c.Channels)
		}
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	at := 0
	for i, n := range c.Layers { // [B,112,112,64] … [B,7,7,512], after the pools
		for j := range n {
			x = block.Conv(block.At(s, "features.%d", at), x, c.Channels[i], 3, 1, 1)
			if c.Norm {
				at++
				x = block.Norm(block.At(s, "features.%d", at), x, 1e-5)
			}
			at += 2 // the ReLU has a number too
			x = stage.MarkReLU(x, fmt.Sprintf("conv%d_%d", i+1, j+1))
		}
		x = stage.Mark(block.PoolMax(x, 2, 2, 0), fmt.Sprintf("pool%d", i+1))
		at++
	}
	if x.Shape().Dim(1) < 7 { // images below 224²
		x = block.PoolTo(x, 7)
	}
	x = block.Window{K: 7}.Conv(block.At(s, "pre_logits.fc1"), x, int(4096*c.MLPRatio))
	x = stage.MarkReLU(x, "fc6") // [B,1,1,4096]
	x = block.Window{K: 1}.Conv(block.At(s, "pre_logits.fc2"), x, 4096)
	x = stage.MarkReLU(x, "fc7")
	return zoo.Head(block.At(s, "head.fc"), ReduceMean(x, 1, 2), c.Classes)
}

// torchvision renames the classifier of torchvision's files (and of those made with
// it), three matrices over the 7×7 pixels flattened, to timm's convolutions.
func torchvision(all map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if _, ok := all["classifier.0.weight"]; !ok {
		return all, nil
	}
	out := map[string]*weights.Tensor{}
	for key, t := range all {
		for from, to := range map[string]string{"classifier.0.": "pre_logits.fc1.", "classifier.3.": "pre_logits.fc2.", "classifier.6.": "head.fc."} {
			if rest, ok := strings.CutPrefix(key, from); ok {
				key = to + rest
			}
		}
		side := map[string]int{"pre_logits.fc1.weight": 7, "pre_logits.fc2.weight": 1}[key]
		if side > 0 && len(t.Shape) == 2 && t.Shape[1]%(side*side) == 0 {
			kernel := *t // its elements stand in the same order
			kernel.Shape = []int{t.Shape[0], t.Shape[1] / (side * side), side, side}
			t = &kernel
		}
		out[key] = t
	}
	return out, nil
}
