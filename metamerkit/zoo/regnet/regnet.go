// Package regnet defines RegNetX and RegNetY (Radosavovic et al. 2020,
// arXiv:2003.13678) for ImageNet. Importing it registers the family with package zoo.
//
// Parameters are named as in timm's regnet.py. Layers are the stem and the end of each
// block, s1.b1 to s4.bN; the last block of a stage is called s1 to s4.
package regnet

import (
	"encoding/json"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("regnet", newForward) }

// config is the config of a card of this family, with timm's names. The widths of the
// blocks follow from depth, w0, wa and wm.
type config struct {
	Depth     int     `json:"depth"`      // blocks of all stages
	W0        int     `json:"w0"`         // channels of the first block, a multiple of 8
	WA        float64 `json:"wa"`         // channels that each block adds, before rounding
	WM        float64 `json:"wm"`         // ratio of the channels of two stages, above 1
	GroupSize int     `json:"group_size"` // channels per group of the 3×3 convolutions
	SERatio   float64 `json:"se_ratio"`   // of squeeze-and-excitation to a block's input; 0 (RegNetX) for none
	Classes   int     `json:"classes"`    // 0 for none; default 1000
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Depth < 1 || c.Depth > 1000:
		return nil, fmt.Errorf("config: depth %d, expected 1 to 1000", c.Depth)
	case c.W0 < 8 || c.W0%8 != 0 || c.W0 > 1<<14:
		return nil, fmt.Errorf("config: w0 %d, expected a multiple of 8 up to 16384", c.W0)
	case !(c.WA >= 0 && c.WA <= 1024) || !(c.WM > 1 && c.WM <= 16):
		return nil, fmt.Errorf("config: wa %v and wm %v, expected 0 to 1024, and above 1 up to 16", c.WA, c.WM)
	case c.GroupSize < 1 || !(c.SERatio >= 0 && c.SERatio <= 1) || c.Classes < 0:
		return nil, fmt.Errorf("config: group_size %d, se_ratio %v, classes %d, expected 1 or more, 0 to 1, 0 or more", c.GroupSize, c.SERatio, c.Classes)
	}
	if n := len(c.stages()); n != 4 {
		return nil, fmt.Errorf("config: depth %d, w0 %d, wa %v and wm %v give %d stages, expected 4", c.Depth, c.W0, c.WA, c.WM, n)
	}
	return c.forward, nil
}

// width is a stage: the channels of its blocks, and how many there are.
type width struct{ channels, group, blocks int }

// stages returns the stages that the linear rule of section 3.4 gives: the channels of
// block j are W0+WA·j, rounded to a power of WM times W0 and then to a multiple of 8.
// Channels are then rounded to a multiple of the group size.
func (c config) stages() (out []width) {
	last := 0
	for j := range c.Depth {
		exponent := math.RoundToEven(math.Log(1+c.WA*float64(j)/float64(c.W0)) / math.Log(c.WM))
		w := 8 * int(math.RoundToEven(float64(c.W0)*math.Pow(c.WM, exponent)/8))
		if w != last {
			last = w
			group := min(c.GroupSize, w)
			out = append(out, width{group * int(math.RoundToEven(float64(w)/float64(group))), group, 0})
		}
		out[len(out)-1].blocks++
	}
	return out
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = block.ConvNorm(block.At(s, "stem.conv"), block.At(s, "stem.bn"), x, 32, 3, 2, 1) // [B,112,112,32]
	x = stage.MarkReLU(x, "stem")
	for i, w := range c.stages() { // [B,56,56,·] [B,28,28,·] [B,14,14,·] [B,7,7,·]
		stride := 2
		for j := range w.blocks {
			name := fmt.Sprintf("s%d.b%d", i+1, j+1)
			x = c.residual(block.At(s, "%s", name), x, w, stride)
			if j == w.blocks-1 {
				name = fmt.Sprintf("s%d", i+1)
			}
			x, stride = stage.MarkReLU(x, name), 1
		}
	}
	x = stage.Mark(ReduceMean(x, 1, 2), "avgpool") // [B,·]
	return zoo.Head(block.At(s, "head.fc"), x, c.Classes)
}

// residual is a block up to its last ReLU: x [B,H,W,C] → [B,H/stride,W/stride,channels].
func (c config) residual(s *model.Scope, x *Node, w width, stride int) *Node {
	conv := func(name string, x *Node, win block.Window) *Node {
		return win.ConvNorm(block.At(s, "%s.conv", name), block.At(s, "%s.bn", name), x, w.channels, 1e-5)
	}
	y := block.ReLU(conv("conv1", x, block.Window{K: 1}))
	y = block.ReLU(conv("conv2", y, block.Window{K: 3, Stride: stride, Pad: 1, Groups: w.channels / w.group}))
	in := x.Shape().Dim(-1)
	if c.SERatio > 0 {
		hidden := int(math.RoundToEven(float64(in) * c.SERatio))
		y = excite(block.At(s, "se"), y, hidden)
	}
	y = conv("conv3", y, block.Window{K: 1})
	if stride != 1 || in != w.channels {
		x = conv("downsample", x, block.Window{K: 1, Stride: stride})
	}
	return Add(y, x)
}

// excite is squeeze-and-excitation with the names of timm's SEModule.
func excite(s *model.Scope, x *Node, hidden int) *Node {
	one := block.Window{K: 1}
	y := ReduceAndKeep(x, ReduceMean, 1, 2)
	y = block.ReLU(one.Conv(block.At(s, "fc1"), y, hidden))
	return Mul(x, Sigmoid(one.Conv(block.At(s, "fc2"), y, x.Shape().Dim(-1))))
}
