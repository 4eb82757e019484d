package vit

import (
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// openCLIP reads the names of OpenAI's and OpenCLIP's towers (timm's
// _convert_openai_clip): text and logit scale are left out.
func openCLIP(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if in["visual.class_embedding"] == nil {
		return in, nil
	}
	names := strings.NewReplacer(
		"conv1.", "patch_embed.proj.", "positional_embedding", "pos_embed", "class_embedding", "cls_token",
		"transformer.resblocks.", "blocks.", "ln_pre.", "norm_pre.", "ln_post.", "norm.", "ln_1.", "norm1.", "ln_2.", "norm2.",
		"attn.in_proj_", "attn.qkv.", "attn.out_proj.", "attn.proj.", "mlp.c_fc.", "mlp.fc1.", "mlp.c_proj.", "mlp.fc2.",
		"ls_1.gamma", "ls1.gamma", "ls_2.gamma", "ls2.gamma",
	)
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		key, ok := strings.CutPrefix(key, "visual.")
		if !ok {
			continue
		}
		v := *t
		switch {
		case key == "proj": // [C,D] and no bias; head.weight is [D,C]
			if err := v.Load(); err != nil {
				return nil, err
			}
			if len(v.Shape) != 2 || v.Float == nil {
				return nil, fmt.Errorf("tensor visual.proj is %s %v, expected a float matrix", v.DType, v.Shape)
			}
			w, d := v.Shape[0], v.Shape[1]
			flat := make([]float32, w*d)
			for i := range w {
				for j := range d {
					flat[j*w+i] = v.Float[i*d+j]
				}
			}
			v.Shape, v.Float, v.Name = []int{d, w}, flat, "head.weight"
			out["head.bias"] = &weights.Tensor{Name: "head.bias", Shape: []int{d}, Float: make([]float32, d), DType: v.DType}
		default:
			v.Name = names.Replace(key)
			switch v.Name {
			case "pos_embed": // [T,C] → [1,T,C]
				v.Shape = append([]int{1}, v.Shape...)
			case "cls_token": // [C] → [1,1,C]
				v.Shape = append([]int{1, 1}, v.Shape...)
			}
		}
		out[v.Name] = &v
	}
	return out, nil
}

// dinoV2 reads the names of Meta's own files of DINOv2 (timm's _convert_dinov2):
// the mask token is left out, and where there are registers the class token's
// position is added to it.
func dinoV2(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if in["mask_token"] == nil {
		return in, nil
	}
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		switch {
		case key == "mask_token":
		case key == "register_tokens":
			v := *t
			v.Name = "reg_token"
			out[v.Name] = &v
		default:
			out[key] = t
		}
	}
	cls, pos := out["cls_token"], out["pos_embed"]
	if out["reg_token"] == nil || cls == nil || pos == nil {
		return out, nil
	}
	for _, t := range []*weights.Tensor{cls, pos} {
		if err := t.Load(); err != nil {
			return nil, err
		}
	}
	c := len(cls.Float)
	if len(pos.Shape) != 3 || pos.Shape[2] != c || len(pos.Float) <= c {
		return nil, fmt.Errorf("tensor pos_embed is %s %v, expected [1,tokens,%d]", pos.DType, pos.Shape, c)
	}
	joined, rest := *cls, *pos
	joined.Float = make([]float32, c)
	for i := range c {
		joined.Float[i] = cls.Float[i] + pos.Float[i]
	}
	rest.Float, rest.Shape = pos.Float[c:], []int{1, pos.Shape[1] - 1, c}
	out["cls_token"], out["pos_embed"] = &joined, &rest
	return out, nil
}
