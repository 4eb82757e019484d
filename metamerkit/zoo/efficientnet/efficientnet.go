// Package efficientnet defines EfficientNets (Tan & Le 2019, arXiv:1905.11946),
// EfficientNet-Lite and MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381). Importing it
// registers the family with package zoo.
//
// Parameters are named as in timm's efficientnet.py.
package efficientnet

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/mobile"
)

func init() { zoo.RegisterPyTorch("efficientnet", newForward, flat) }

// config is what a card of this family says, in timm's words.
type config struct {
	Variant           string     `json:"variant"`            // default, "", is EfficientNet; lite; mobilenetv2
	Arch              [][]string `json:"arch"`               // package mobile's notation, default the variant's
	ChannelMultiplier float64    `json:"channel_multiplier"` // default 1
	DepthMultiplier   float64    `json:"depth_multiplier"`   // default 1
	StemSize          int        `json:"stem_size"`          // channels of the first convolution, default 32
	Features          int        `json:"num_features"`       // channels of the last, default 1280
	FixStemHead       bool       `json:"fix_stem_head"`      // the multipliers leave stem and head, and the depth of the first and last stage; always so in lite
	Act               string     `json:"act"`                // default silu, relu6 in lite and mobilenetv2
	TF                bool       `json:"tf"`                 // as the weights from TensorFlow: its padding, ε = 1e-3
	Classes           int        `json:"classes"`            // default 1000
}

// variants are the networks of which the others are multiples.
var variants = map[string][][]string{
	"": { // EfficientNet-B0
		{"ds_r1_k3_s1_e1_c16_se0.25"},
		{"ir_r2_k3_s2_e6_c24_se0.25"},
		{"ir_r2_k5_s2_e6_c40_se0.25"},
		{"ir_r3_k3_s2_e6_c80_se0.25"},
		{"ir_r3_k5_s1_e6_c112_se0.25"},
		{"ir_r4_k5_s2_e6_c192_se0.25"},
		{"ir_r1_k3_s1_e6_c320_se0.25"},
	},
	"lite": { // EfficientNet-Lite0: no squeeze-and-excitation
		{"ds_r1_k3_s1_c16"},
		{"ir_r2_k3_s2_e6_c24"},
		{"ir_r2_k5_s2_e6_c40"},
		{"ir_r3_k3_s2_e6_c80"},
		{"ir_r3_k5_s1_e6_c112"},
		{"ir_r4_k5_s2_e6_c192"},
		{"ir_r1_k3_s1_e6_c320"},
	},
	"mobilenetv2": {
		{"ds_r1_k3_s1_c16"},
		{"ir_r2_k3_s2_e6_c24"},
		{"ir_r3_k3_s2_e6_c32"},
		{"ir_r4_k3_s2_e6_c64"},
		{"ir_r3_k3_s1_e6_c96"},
		{"ir_r3_k3_s2_e6_c160"},
		{"ir_r1_k3_s1_e6_c320"},
	},
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{ChannelMultiplier: 1, DepthMultiplier: 1, StemSize: 32, Features: 1280, Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	if !(c.ChannelMultiplier > 0 && c.ChannelMultiplier <= 10 && c.DepthMultiplier > 0 && c.DepthMultiplier <= 10) || c.StemSize < 1 || c.Features < 1 || c.Classes < 0 {
		return nil, fmt.Errorf("config: channel_multiplier %v, depth_multiplier %v, stem_size %d, num_features %d, classes %d, expected multipliers up to 10, positive numbers and at least 0 classes", c.ChannelMultiplier, c.DepthMultiplier, c.StemSize, c.Features, c.Classes)
	}
	arch, ok := variants[c.Variant]
	if !ok {
		return nil, fmt.Errorf("config: variant %q, expected none, lite or mobilenetv2", c.Variant)
	}
	if c.Arch == nil {
		c.Arch = arch
	}
	if c.Act == "" {
		c.Act = map[bool]string{true: "silu", false: "relu6"}[c.Variant == ""]
	}
	stages, err := mobile.Parse(c.Arch)
	if err != nil {
		return nil, err
	}
	act, err := block.Activation(c.Act)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	o := mobile.Options{Act: act, Gate: Logistic, Eps: 1e-5, TF: c.TF, ChannelMultiplier: c.ChannelMultiplier, DepthMultiplier: c.DepthMultiplier, FixFirstLast: c.FixStemHead || c.Variant == "lite"}
	if c.TF {
		o.Eps = 1e-3
	}
	stem, features := o.Round(c.StemSize), o.Round(c.Features)
	switch {
	case o.FixFirstLast:
		stem, features = c.StemSize, c.Features
	case c.Variant == "mobilenetv2": // its head never gets narrower
		features = max(c.Features, features)
	}
	return func(s *model.Scope, x *Node) *Node {
		x = o.Window(3, 2).ConvNorm(block.At(s, "conv_stem"), block.At(s, "bn1"), x, stem, o.Eps)
		x = stage.Mark(act(x), "conv_stem") // [B,112,112,32]
		x = o.Draw(s, x, stages)            // [B,7,7,320]
		x = block.Window{K: 1}.ConvNorm(block.At(s, "conv_head"), block.At(s, "bn2"), x, features, o.Eps)
		x = stage.Mark(act(x), "conv_head")            // [B,7,7,1280]
		x = stage.Mark(ReduceMean(x, 1, 2), "avgpool") // [B,1280]
		return zoo.Head(block.At(s, "classifier"), x, c.Classes)
	}, nil
}
