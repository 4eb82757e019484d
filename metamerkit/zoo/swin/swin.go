// Package swin defines the Swin transformer (Liu et al. 2021, arXiv:2103.14030) as
// timm's swin_transformer.py implements it: attention in windows that every second
// block shifts by half a window. Importing it registers the family with package
// zoo.
package swin

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("swin", newForward, original) }

const eps = 1e-5 // of every LayerNorm

// config is what a card of this family says.
type config struct {
	Patch   int    `json:"patch,omitempty"`  // pixels a side, default 4
	Window  int    `json:"window,omitempty"` // patches a side, default 7
	Width   int    `json:"width"`            // channels of the first stage; each further one doubles them
	Depths  [4]int `json:"depths"`           // blocks a stage
	Heads   [4]int `json:"heads"`
	Classes int    `json:"classes"` // 0 for none
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Patch: 4, Window: 7}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if c.Patch < 1 || c.Window < 2 || c.Width < 1 || c.Classes < 0 {
		return nil, fmt.Errorf("config: patch %d, window %d, width %d, classes %d: expected at least 1, 2, 1, 0", c.Patch, c.Window, c.Width, c.Classes)
	}
	for i := range 4 {
		if c.Depths[i] < 1 || c.Heads[i] < 1 || (c.Width<<i)%c.Heads[i] != 0 {
			return nil, fmt.Errorf("config: stage %d has depth %d and %d heads for %d channels: expected at least one, and heads that divide the channels", i, c.Depths[i], c.Heads[i], c.Width<<i)
		}
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = block.Patchify(block.At(s, "patch_embed.proj"), x, c.Width, c.Patch, true)
	x = stage.Mark(block.LayerNorm(block.At(s, "patch_embed.norm"), x, eps), "patch_embed") // [B,56,56,C]
	for i, depth := range c.Depths {
		in := block.At(s, "layers.%d", i)
		if i > 0 {
			x = merge(block.At(in, "downsample"), x) // [B,H/2,W/2,2C]
		}
		for j := range depth {
			x = c.block(block.At(in, "blocks.%d", j), x, c.Heads[i], j%2 == 1)
			if j < depth-1 {
				x = stage.Mark(x, fmt.Sprintf("layers.%d.blocks.%d", i, j))
			}
		}
		x = stage.Mark(x, fmt.Sprintf("layers.%d", i))
	}
	x = stage.Mark(block.LayerNorm(block.At(s, "norm"), x, eps), "norm") // [B,7,7,8C]
	x = stage.Mark(ReduceMean(x, 1, 2), "pre_logits")                    // [B,8C]
	return zoo.Head(block.At(s, "head.fc"), x, c.Classes)
}

// block is windowed attention and an MLP, each on normalised pixels and added.
func (c config) block(s *model.Scope, x *Node, heads int, shifted bool) *Node {
	y := block.LayerNorm(block.At(s, "norm1"), x, eps)
	x = Add(x, c.attention(block.At(s, "attn"), y, heads, shifted))
	y = block.LayerNorm(block.At(s, "norm2"), x, eps)
	return Add(x, block.MLP(block.At(s, "mlp"), y, 4*x.Shape().Dim(3), block.GELU))
}

// merge halves the resolution: 2×2 pixels become one of four times the channels
// (in the order column, row, channel), normalised and projected to twice.
func merge(s *model.Scope, x *Node) *Node {
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	x = pad(x, h%2, w%2)
	h, w = (h+1)/2, (w+1)/2
	x = TransposeAllAxes(Reshape(x, b, h, 2, w, 2, c), 0, 1, 3, 4, 2, 5)
	x = block.LayerNorm(block.At(s, "norm"), Reshape(x, b, h, w, 4*c), eps)
	return block.LinearNoBias(block.At(s, "reduction"), x, 2*c)
}

var downsample = regexp.MustCompile(`^layers\.(\d+)\.downsample\.`)

// original reads the names of Microsoft's files, which have each downsampling at
// the end of a stage and tables of constants besides (timm's filter function).
func original(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	_, old := in["layers.0.downsample.reduction.weight"]
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		if strings.HasSuffix(key, "relative_position_index") || strings.HasSuffix(key, "attn_mask") {
			continue
		}
		v := *t
		if old {
			if m := downsample.FindStringSubmatch(key); m != nil {
				i, err := strconv.Atoi(m[1])
				if err != nil {
					return nil, fmt.Errorf("tensor %s: %w", key, err)
				}
				key = fmt.Sprintf("layers.%d.downsample.%s", i+1, key[len(m[0]):])
			} else if rest, ok := strings.CutPrefix(key, "head."); ok {
				key = "head.fc." + rest
			}
		}
		v.Name = key
		out[key] = &v
	}
	return out, nil
}
