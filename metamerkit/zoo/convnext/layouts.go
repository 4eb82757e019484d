package convnext

import (
	"regexp"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

var (
	stageBlock  = regexp.MustCompile(`^stages\.(\d+)\.(\d+)\.`)
	downsampler = regexp.MustCompile(`^downsample_layers\.([1-3])\.`)
)

// original reads the names of Meta's files (timm's filter function).
func original(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if in["downsample_layers.0.0.weight"] == nil {
		return in, nil
	}
	names := strings.NewReplacer("dwconv.", "conv_dw.", "pwconv1.", "mlp.fc1.", "pwconv2.", "mlp.fc2.",
		"grn.gamma", "mlp.grn.weight", "grn.beta", "mlp.grn.bias", "downsample_layers.0.", "stem.")
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		v := *t
		key = stageBlock.ReplaceAllString(key, "stages.$1.blocks.$2.")
		key = downsampler.ReplaceAllString(key, "stages.$1.downsample.")
		v.Name = names.Replace(key)
		if rest, ok := strings.CutPrefix(v.Name, "norm."); ok {
			v.Name = "head.norm." + rest
		} else if rest, ok := strings.CutPrefix(v.Name, "head."); ok {
			v.Name = "head.fc." + rest
		}
		if strings.Contains(v.Name, ".grn.") && len(v.Shape) > 1 { // [1,1,1,C]
			v.Shape = v.Shape[len(v.Shape)-1:]
		}
		out[v.Name] = &v
	}
	return out, nil
}

// openCLIP reads the names of OpenCLIP's towers: text and logit scale are left out.
func openCLIP(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if in["visual.trunk.stem.0.weight"] == nil {
		return in, nil
	}
	out := map[string]*weights.Tensor{}
	last := "visual.head.proj."
	if in["visual.head.mlp.fc2.weight"] != nil {
		last = "visual.head.mlp.fc2."
	}
	names := strings.NewReplacer("visual.trunk.", "", "visual.head.mlp.fc1.", "head.pre_logits.fc.", last, "head.fc.")
	for key, t := range in {
		if !strings.HasPrefix(key, "visual.") {
			continue
		}
		v := *t
		v.Name = names.Replace(key)
		out[v.Name] = &v
		if v.Name == "head.fc.weight" && in[last+"bias"] == nil && len(v.Shape) == 2 {
			out["head.fc.bias"] = &weights.Tensor{Name: "head.fc.bias", Shape: v.Shape[:1], Float: make([]float32, v.Shape[0]), DType: v.DType}
		}
	}
	return out, nil
}
