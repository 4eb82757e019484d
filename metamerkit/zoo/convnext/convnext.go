// Package convnext defines ConvNeXt (Liu et al. 2022, arXiv:2201.03545) and
// ConvNeXt V2 (Woo et al. 2023, arXiv:2301.00808) as timm's convnext.py implements
// them. Importing it registers the family with package zoo.
package convnext

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("convnext", newForward, original, openCLIP) }

// config is what a card of this family says, in timm's words.
type config struct {
	Depths [4]int `json:"depths"` // blocks a stage
	Dims   [4]int `json:"dims"`   // channels of each
	// Stem is patch (4×4 patches, the default), overlap (two 3×3 convolutions of
	// stride 2), overlap_tiered (the first with half the channels), overlap_act (an
	// activation between them), or conv2 or conv3 (so many convolutions, each with norm
	// and activation: the robust models of Singh et al. 2023).
	Stem   string `json:"stem,omitempty"`
	Patch  int    `json:"stem_patch,omitempty"`  // pixels a side that stem "patch" takes together, default 4 (timm's patch_size of 2 halves once more)
	Kernel int    `json:"kernel_size,omitempty"` // of the depthwise convolutions, odd, default 7

	ConvMLP bool `json:"conv_mlp,omitempty"` // the file has the MLPs as 1×1 convolutions; the same otherwise
	// GRN: global response normalisation in the MLPs and no layer scale (V2).
	GRN bool `json:"grn,omitempty"`
	// NormFirst: the last norm comes before the pooling, as norm_pre.
	NormFirst bool `json:"head_norm_first,omitempty"`
	// Hidden is the width of a hidden layer of the classifier, 0 for none.
	Hidden    int     `json:"head_hidden,omitempty"`
	Eps       float64 `json:"eps,omitempty"`       // of the norms, default 1e-6
	Classes   int     `json:"classes"`             // 0 for none
	Embedding int     `json:"embedding,omitempty"` // as in family vit: the head is CLIP's projection
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Stem: "patch", Patch: 4, Kernel: 7, Eps: 1e-6}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	for i := range 4 {
		if c.Depths[i] < 1 || c.Dims[i] < 1 {
			return nil, fmt.Errorf("config: depths %v and dims %v: expected four numbers of at least 1", c.Depths, c.Dims)
		}
	}
	switch c.Stem {
	case "patch", "overlap", "overlap_tiered", "overlap_act", "conv2", "conv3":
	default:
		return nil, fmt.Errorf("config: stem %q: expected patch, overlap, overlap_tiered, overlap_act, conv2 or conv3", c.Stem)
	}
	switch {
	case c.Patch < 1 || c.Kernel < 1 || c.Kernel%2 == 0 || c.Patch != 4 && c.Stem != "patch":
		return nil, fmt.Errorf("config: stem_patch %d with stem %s, kernel_size %d: expected at least 1 (4 for other stems), and an odd number", c.Patch, c.Stem, c.Kernel)
	case c.Classes < 0 || c.Embedding < 0 || c.Classes > 0 && c.Embedding > 0:
		return nil, fmt.Errorf("config: classes %d and embedding %d: expected one of them, or neither", c.Classes, c.Embedding)
	case c.Hidden < 0 || c.Hidden > 0 && c.NormFirst || !(c.Eps > 0):
		return nil, fmt.Errorf("config: head_hidden %d, head_norm_first %v, eps %v: expected one of the first two, and eps above 0", c.Hidden, c.NormFirst, c.Eps)
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	x = stage.Mark(c.stem(block.At(s, "stem"), x), "stem") // [B,56,56,C0]
	for i, depth := range c.Depths {
		in := block.At(s, "stages.%d", i)
		if i > 0 { // [B,H,W,C] → [B,H/2,W/2,C']
			x = block.LayerNorm(block.At(in, "downsample.0"), x, c.Eps)
			x = block.Patchify(block.At(in, "downsample.1"), x, c.Dims[i], 2, true)
		}
		for j := range depth {
			x = c.block(block.At(in, "blocks.%d", j), x)
			if j < depth-1 {
				x = stage.Mark(x, fmt.Sprintf("stages.%d.blocks.%d", i, j))
			}
		}
		x = stage.Mark(x, fmt.Sprintf("stages.%d", i))
	}
	return c.head(s, x)
}

func (c config) stem(s *model.Scope, x *Node) *Node {
	n := c.Dims[0]
	switch c.Stem {
	case "patch":
		x = block.Patchify(block.At(s, "0"), x, n, c.Patch, true)
		return block.LayerNorm(block.At(s, "1"), x, c.Eps)
	case "conv2":
		return block.ConvStem(block.At(s, "stem"), x, []int{n / 2, n}, []int{2, 2})
	case "conv3":
		return block.ConvStem(block.At(s, "stem"), x, []int{n / 2, 3 * n / 4, n}, []int{2, 2, 1})
	}
	mid, next := n, 1
	if c.Stem == "overlap_tiered" {
		mid = divisible(n / 2)
	}
	x = block.Conv(block.At(s, "0"), x, mid, 3, 2, 1)
	if c.Stem == "overlap_act" {
		x, next = block.GELU(x), 2
	}
	x = block.Conv(block.At(s, "%d", next), x, n, 3, 2, 1)
	return block.LayerNorm(block.At(s, "%d", next+1), x, c.Eps)
}

// divisible rounds to the nearest multiple of 8 that is not more than a tenth
// below n (timm's make_divisible).
func divisible(n int) int {
	v := max(8, (n+4)/8*8)
	if 10*v < 9*n {
		v += 8
	}
	return v
}

// block is one block; it keeps the shape [B,H,W,C].
func (c config) block(s *model.Scope, x *Node) *Node {
	width := x.Shape().Dim(3)
	linear := block.Linear
	if c.ConvMLP {
		linear = func(s *model.Scope, x *Node, out int) *Node { return block.Conv(s, x, out, 1, 1, 0) }
	}
	y := block.Window{K: c.Kernel, Pad: c.Kernel / 2, Groups: width}.Conv(block.At(s, "conv_dw"), x, width)
	y = block.LayerNorm(block.At(s, "norm"), y, c.Eps)
	y = block.GELU(linear(block.At(s, "mlp.fc1"), y, 4*width))
	if c.GRN {
		y = block.ResponseNorm(block.At(s, "mlp.grn"), y)
	}
	y = linear(block.At(s, "mlp.fc2"), y, width)
	if !c.GRN {
		y = block.LayerScale(s, y, "gamma")
	}
	return Add(x, y)
}

// head pools x [B,H,W,C], marks what the classifier reads as pre_logits and ends
// in the logits or the embedding.
func (c config) head(s *model.Scope, x *Node) *Node {
	if c.NormFirst {
		x = stage.Mark(block.LayerNorm(block.At(s, "norm_pre"), x, c.Eps), "norm_pre")
	}
	x = ReduceMean(x, 1, 2) // [B,C]
	if !c.NormFirst {
		x = block.LayerNorm(block.At(s, "head.norm"), x, c.Eps)
	}
	if c.Hidden > 0 {
		x = stage.Mark(x, "head.norm")
		x = block.GELU(block.Linear(block.At(s, "head.pre_logits.fc"), x, c.Hidden))
	}
	x = stage.Mark(x, "pre_logits")
	switch {
	case c.Classes > 0:
		return stage.Mark(block.Linear(block.At(s, "head.fc"), x, c.Classes), "logits")
	case c.Embedding > 0:
		x = block.Linear(block.At(s, "head.fc"), x, c.Embedding)
	}
	return zoo.Embedding(x)
}
