// Package vit defines vision transformers (Dosovitskiy et al. 2021,
// arXiv:2010.11929) as timm's vision_transformer.py and deit.py implement them:
// plain and augmented ViT, DeiT and distilled DeiT, DINO and DINOv2 with registers,
// and the image towers of CLIP and SigLIP. Importing it registers the family with
// package zoo.
package vit

import (
	"encoding/json"
	"fmt"
	"math/bits"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

func init() { zoo.RegisterPyTorch("vit", newForward, openCLIP, dinoV2) }

// config is what a card of this family says. Its zero values are those of timm.
type config struct {
	Patch int `json:"patch"` // pixels a side
	Width int `json:"width"`
	Depth int `json:"depth"` // blocks
	Heads int `json:"heads"`
	// MLPRatio is the hidden width of the MLPs as a multiple of Width (default 4),
	// rounded down.
	MLPRatio float64 `json:"mlp_ratio,omitempty"`
	// Classes is the width of the classifier, 0 for none.
	Classes int `json:"classes"`
	// Embedding is the width of the space that images share with texts: the head is
	// then a projection into it, not a classifier (CLIP).
	Embedding int `json:"embedding,omitempty"`
	// PosGrid is the number of position embeddings a side in the file, where the
	// weights were trained at another image size than the card's. They are resampled
	// to the patches there are. Default: the patches a side.
	PosGrid int `json:"pos_grid,omitempty"`

	// ConvStem is the channels of the first of log2(patch) convolutions of stride 2 that
	// stand in for the patch embedding, each with twice the channels of the one before
	// (robust models of Singh et al. 2023: four, for patches of 16).
	ConvStem int `json:"conv_stem,omitempty"`

	NoClassToken bool `json:"no_class_token,omitempty"`
	Distilled    bool `json:"distilled,omitempty"` // a second token with a head of its own (DeiT)
	Registers    int  `json:"registers,omitempty"` // tokens that nothing reads (DINOv2)
	// PatchPosOnly: only patches have position embeddings (timm's no_embed_class).
	PatchPosOnly bool `json:"patch_pos_only,omitempty"`

	PreNorm   bool    `json:"pre_norm,omitempty"` // a norm before the blocks, no bias of the patches (CLIP)
	Pool      string  `json:"pool,omitempty"`     // token (default), avg (of patches) or map (attention)
	FCNorm    *bool   `json:"fc_norm,omitempty"`  // norm after pooling, not before; default: when pool is avg
	Scale     bool    `json:"layer_scale,omitempty"`
	NoQKVBias bool    `json:"no_qkv_bias,omitempty"`
	Act       string  `json:"activation,omitempty"` // see block.Activation; default gelu
	Eps       float64 `json:"eps,omitempty"`        // of the norms, default 1e-6

	act func(*Node) *Node
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{MLPRatio: 4, Pool: "token", Act: "gelu", Eps: 1e-6}
	err := zoo.Config(raw, &c)
	if err != nil {
		return nil, err
	}
	if c.act, err = block.Activation(c.Act); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	switch {
	case c.Patch < 1 || c.Width < 1 || c.Depth < 3 || c.Heads < 1 || c.Width%c.Heads != 0:
		return nil, fmt.Errorf("config: patch %d, width %d, depth %d, heads %d: expected at least 1 (depth 3) and a width that the heads divide", c.Patch, c.Width, c.Depth, c.Heads)
	case c.Classes < 0 || c.Embedding < 0 || c.Classes > 0 && c.Embedding > 0:
		return nil, fmt.Errorf("config: classes %d and embedding %d: expected one of them, or neither", c.Classes, c.Embedding)
	case c.Registers < 0 || c.PosGrid < 0 || !(c.MLPRatio > 0) || !(c.Eps > 0):
		return nil, fmt.Errorf("config: registers %d, pos_grid %d, mlp_ratio %v, eps %v: expected none below zero", c.Registers, c.PosGrid, c.MLPRatio, c.Eps)
	case c.ConvStem < 0 || c.ConvStem > 0 && (c.Patch < 2 || bits.OnesCount(uint(c.Patch)) != 1 || c.PreNorm):
		return nil, fmt.Errorf("config: conv_stem %d with patch %d and pre_norm %v: expected a patch that is a power of two and no pre_norm", c.ConvStem, c.Patch, c.PreNorm)
	case c.Pool != "token" && c.Pool != "avg" && c.Pool != "map":
		return nil, fmt.Errorf("config: pool %q: expected token, avg or map", c.Pool)
	case c.Pool == "token" && c.NoClassToken:
		return nil, fmt.Errorf("config: pool token without a class token")
	case c.Distilled && (c.Pool != "token" || c.Registers > 0):
		return nil, fmt.Errorf("config: distilled with pool %q and %d registers: expected pool token and none", c.Pool, c.Registers)
	}
	if c.FCNorm == nil {
		avg := c.Pool == "avg"
		c.FCNorm = &avg
	}
	return c.forward, nil
}

func (c config) forward(s *model.Scope, x *Node) *Node {
	if side := x.Shape().Dim(1); side%c.Patch != 0 {
		panic(fmt.Errorf("images of %d²: expected a multiple of the patch size %d", side, c.Patch))
	}
	if n := c.ConvStem; n > 0 {
		stem := block.At(s, "patch_embed.proj.stem")
		var channels, strides []int
		for p := c.Patch; p > 1; p /= 2 {
			channels, strides = append(channels, n<<len(channels)), append(strides, 2)
		}
		x = block.ConvStem(stem, x, channels, strides)
		x = block.Conv(block.At(stem, "%d", 3*len(channels)), x, c.Width, 1, 1, 0)
	} else {
		x = block.Patchify(block.At(s, "patch_embed.proj"), x, c.Width, c.Patch, !c.PreNorm)
	} // [B,G,G,C]
	x = stage.Mark(Reshape(x, x.Shape().Dim(0), -1, c.Width), "patch_embed") // [B,G²,C]
	x = c.embed(s, x)                                                        // [B,T,C]
	if c.PreNorm {
		x = stage.Mark(block.LayerNorm(block.At(s, "norm_pre"), x, c.Eps), "norm_pre")
	}
	for i := range c.Depth {
		x = stage.Mark(c.block(block.At(s, "blocks.%d", i), x), fmt.Sprintf("blocks.%d", i))
	}
	if !*c.FCNorm {
		x = stage.Mark(block.LayerNorm(block.At(s, "norm"), x, c.Eps), "norm")
	}
	return c.head(s, x)
}

// block is attention and MLP, each on normalised tokens and added to them.
func (c config) block(s *model.Scope, x *Node) *Node {
	scale := func(y *Node, name string) *Node {
		if c.Scale {
			return block.LayerScale(block.At(s, "%s", name), y, "gamma")
		}
		return y
	}
	y := block.LayerNorm(block.At(s, "norm1"), x, c.Eps)
	x = Add(x, scale(block.Attention(block.At(s, "attn"), y, c.Heads, !c.NoQKVBias, nil), "ls1"))
	y = block.LayerNorm(block.At(s, "norm2"), x, c.Eps)
	return Add(x, scale(block.MLP(block.At(s, "mlp"), y, c.hidden(), c.act), "ls2"))
}

func (c config) hidden() int { return int(float64(c.Width) * c.MLPRatio) }
