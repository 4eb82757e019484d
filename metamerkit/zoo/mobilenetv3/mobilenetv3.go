// Package mobilenetv3 defines MobileNetV3 (Howard et al. 2019, arXiv:1905.02244).
// Importing it registers the family with package zoo.
//
// Parameters are named as in timm's mobilenetv3.py.
package mobilenetv3

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

func init() { zoo.RegisterPyTorch("mobilenetv3", newForward) }

// config is what a card of this family says, in timm's words.
type config struct {
	Variant           string  `json:"variant"`            // large (default) or small
	ChannelMultiplier float64 `json:"channel_multiplier"` // default 1
	TF                bool    `json:"tf"`                 // as the weights from TensorFlow: its padding, ε = 1e-3
	Classes           int     `json:"classes"`            // default 1000
}

var variants = map[string][][]string{
	"large": {
		{"ds_r1_k3_s1_e1_c16_nre"},
		{"ir_r1_k3_s2_e4_c24_nre", "ir_r1_k3_s1_e3_c24_nre"},
		{"ir_r3_k5_s2_e3_c40_se0.25_nre"},
		{"ir_r1_k3_s2_e6_c80", "ir_r1_k3_s1_e2.5_c80", "ir_r2_k3_s1_e2.3_c80"},
		{"ir_r2_k3_s1_e6_c112_se0.25"},
		{"ir_r3_k5_s2_e6_c160_se0.25"},
		{"cn_r1_k1_s1_c960"},
	},
	"small": {
		{"ds_r1_k3_s2_e1_c16_se0.25_nre"},
		{"ir_r1_k3_s2_e4.5_c24_nre", "ir_r1_k3_s1_e3.67_c24_nre"},
		{"ir_r1_k5_s2_e4_c40_se0.25", "ir_r2_k5_s1_e6_c40_se0.25"},
		{"ir_r2_k5_s1_e3_c48_se0.25"},
		{"ir_r3_k5_s2_e6_c96_se0.25"},
		{"cn_r1_k1_s1_c576"},
	},
}

func newForward(raw json.RawMessage) (zoo.Forward, error) {
	c := config{Variant: "large", ChannelMultiplier: 1, Classes: 1000}
	if err := zoo.Config(raw, &c); err != nil {
		return nil, err
	}
	arch, ok := variants[c.Variant]
	if !ok || !(c.ChannelMultiplier > 0 && c.ChannelMultiplier <= 10) || c.Classes < 0 {
		return nil, fmt.Errorf("config: variant %q, channel_multiplier %v, classes %d, expected large or small, a multiplier up to 10 and at least 0 classes", c.Variant, c.ChannelMultiplier, c.Classes)
	}
	stages, err := mobile.Parse(arch)
	if err != nil {
		return nil, err
	}
	features := map[string]int{"large": 1280, "small": 1024}[c.Variant]
	o := mobile.Options{Act: block.HardSwish, Gate: block.HardSigmoid, SEAct: block.ReLU, SEFromExpanded: true, Eps: 1e-5, TF: c.TF, ChannelMultiplier: c.ChannelMultiplier, DepthMultiplier: 1}
	if c.TF {
		o.Eps = 1e-3
	}
	stem := 16
	if c.ChannelMultiplier >= .75 {
		stem = o.Round(stem)
	}
	return func(s *model.Scope, x *Node) *Node {
		x = o.Window(3, 2).ConvNorm(block.At(s, "conv_stem"), block.At(s, "bn1"), x, stem, o.Eps)
		x = stage.Mark(o.Act(x), "conv_stem")                         // [B,112,112,16]
		x = o.Draw(s, x, stages)                                      // [B,7,7,960]
		x = stage.Mark(ReduceAndKeep(x, ReduceMean, 1, 2), "avgpool") // [B,1,1,960]
		x = o.Act(block.Window{K: 1}.Conv(block.At(s, "conv_head"), x, features))
		x = stage.Mark(Reshape(x, -1, features), "conv_head") // [B,1280]
		return zoo.Head(block.At(s, "classifier"), x, c.Classes)
	}, nil
}
