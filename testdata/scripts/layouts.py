"""Writes testdata/golden/foreign/*.safetensors: small models under the names that their first
publishers gave the parameters, and foreign.json: what timm computes after converting them.
The convstem models are robust models of RobustBench: timm's with another stem, wrapped.

    PY -m pip install timm==1.0.31 torch==2.11.0 safetensors==0.8.0
"""
import functools
import json
import pathlib
import re

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from timm.models import _efficientnet_builder as efficientnet_builder, convnext, efficientnet, swin_transformer, vision_transformer

OUT = pathlib.Path(__file__).parents[1] / "golden" / "foreign"
torch.manual_seed(0)
S = dict(embed_dim=12, depth=3, num_heads=3, num_classes=7)


def random(net):
    return {k: torch.randn(v.shape) * .2 + (1 if v.dim() == 1 and k.endswith("weight") else 0) for k, v in net.state_dict().items()}


def back(state, *swaps):
    for a, b in swaps:
        state = {re.sub(a, b, k): v for k, v in state.items()}
    return state


def clip():
    net = timm.create_model("vit_base_patch32_clip_quickgelu_224", img_size=64, **S)
    s = random(net)
    s["proj"] = s.pop("head.weight").T.contiguous()
    del s["head.bias"]
    s["cls_token"], s["pos_embed"] = s["cls_token"][0, 0], s["pos_embed"][0]
    s = back(s, (r"^patch_embed\.proj", "conv1"), ("^pos_embed", "positional_embedding"), ("^cls_token", "class_embedding"),
             (r"^norm_pre", "ln_pre"), (r"^norm\.", "ln_post."), (r"^blocks", "transformer.resblocks"), (r"attn\.qkv\.", "attn.in_proj_"),
             (r"attn\.proj", "attn.out_proj"), (r"mlp\.fc1", "mlp.c_fc"), (r"mlp\.fc2", "mlp.c_proj"), (r"\.norm([12])", r".ln_\1"), ("^", "visual."))
    s |= {"logit_scale": torch.tensor(4.6), "token_embedding.weight": torch.zeros(3, 4), "positional_embedding": torch.zeros(3, 4)}
    return net, s, vision_transformer.checkpoint_filter_fn, 64


def dino():
    net = timm.create_model("vit_small_patch14_reg4_dinov2", img_size=56, **S)
    s = random(net)
    s["register_tokens"], s["mask_token"] = s.pop("reg_token"), torch.zeros(1, 12)
    s["pos_embed"] = torch.cat([torch.randn(1, 1, 12), s["pos_embed"]], 1)
    return net, s, vision_transformer.checkpoint_filter_fn, 56


def swin():
    net = timm.create_model("swin_tiny_patch4_window7_224", img_size=64, window_size=4, embed_dim=6, depths=(2, 1, 1, 1), num_heads=(1, 2, 3, 4), num_classes=7)
    s = random(net)
    s = {re.sub(r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", k): v for k, v in s.items()}
    s = back(s, (r"^head\.fc", "head"))
    s |= {"layers.0.blocks.1.attn_mask": torch.zeros(16, 16, 16), "layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.int64)}
    return net, s, swin_transformer.checkpoint_filter_fn, 64


def next2():
    net = timm.create_model("convnextv2_atto", depths=(1, 1, 1, 1), dims=(4, 6, 8, 10), num_classes=7, conv_mlp=False)
    s = random(net)
    s = back(s, (r"^stem", "downsample_layers.0"), (r"^stages\.(\d)\.downsample", r"downsample_layers.\1"), (r"^stages\.(\d)\.blocks", r"stages.\1"),
             ("conv_dw", "dwconv"), (r"mlp\.fc", "pwconv"), (r"mlp\.grn\.weight", "grn.gamma"), (r"mlp\.grn\.bias", "grn.beta"), (r"^head\.norm", "norm"), (r"^head\.fc", "head"))
    s = {k: v.view(1, 1, 1, -1) if "grn" in k else v for k, v in s.items()}
    return net, s, convnext.checkpoint_filter_fn, 64


def flat(se):
    """As efficientnet_pytorch names it: blocks numbered in a row."""
    arch = [["ds_r1_k3_s1_c8"], ["ir_r2_k3_s2_e6_c16"], ["ir_r3_k5_s2_e2_c24"]]
    arch = [[b + "_se0.25" * se for b in stage] for stage in arch]
    act = torch.nn.SiLU if se else torch.nn.ReLU6
    net = efficientnet.EfficientNet(efficientnet_builder.decode_arch_def(arch), num_classes=7, num_features=20, stem_size=8, fix_stem=True,
                                    pad_type="same", act_layer=act, norm_layer=functools.partial(torch.nn.BatchNorm2d, eps=1e-3))
    timms = {k: v.abs() + .5 if k.endswith("running_var") else v for k, v in random(net).items()}
    s, at = {}, {f"{i}.{j}": str(n) for n, (i, j) in enumerate((i, j) for i, n in enumerate((1, 2, 3)) for j in range(n))}
    for k, v in timms.items():
        m = re.fullmatch(r"blocks\.(\d\.\d)\.(.*)", k)
        if not m:
            k = back({k: 0}, ("^bn1", "_bn0"), ("^bn2", "_bn1"), ("^conv_", "_conv_"), ("^classifier", "_fc")).popitem()[0]
        elif m[1] == "0.0":
            k = "_blocks.0." + back({m[2]: 0}, ("^bn", "_bn"), ("^conv_dw", "_depthwise_conv"), ("^conv_pw", "_project_conv"), (r"^se\.conv_", "_se_")).popitem()[0]
        else:
            k = f"_blocks.{at[m[1]]}." + back({m[2]: 0}, ("^bn1", "_bn0"), ("^bn2", "_bn1"), ("^bn3", "_bn2"), ("^conv_dw", "_depthwise_conv"),
                                              ("^conv_pwl", "_project_conv"), ("^conv_pw", "_expand_conv"), (r"^se\.conv_", "_se_")).popitem()[0]
        s[k] = v
    return net, s, lambda _, net: timms, 64


def flat_lite():
    return flat(False)


def flat_efficient():
    return flat(True)


class Stem(torch.nn.Module):
    """3x3 convolutions with norm and GELU, of arXiv:2303.01870; a 1x1 convolution to out, if given."""
    def __init__(self, channels, strides, out=None):
        super().__init__()
        parts, c = [], 3
        for n, s in zip(channels, strides):
            parts += [torch.nn.Conv2d(c, n, 3, s, 1), timm.layers.LayerNorm2d(n, eps=1e-6), torch.nn.GELU()]
            c = n
        self.stem = torch.nn.Sequential(*parts, *([torch.nn.Conv2d(c, out, 1)] if out else []))

    def forward(self, x):
        return self.stem(x)


def wrapped(net):
    """As RobustBench keeps it: a member called model, behind a normalisation."""
    s = random(net)
    net.load_state_dict(s)
    return {"model." + k: v for k, v in s.items()} | {"normalize.mean": torch.full((1, 3, 1, 1), .5), "normalize.std": torch.full((1, 3, 1, 1), .25)}


def unwrapped(s, net):
    return {k.removeprefix("model."): v for k, v in s.items() if k.startswith("model.")}


def vit_convstem():
    net = timm.create_model("deit_small_patch16_224", img_size=64, **S)
    net.patch_embed.proj = Stem([4, 8, 16, 32], [2, 2, 2, 2], 12)
    return net, wrapped(net), unwrapped, 64


def next_convstem2():
    net = timm.create_model("convnext_tiny", depths=(1, 1, 1, 1), dims=(4, 6, 8, 10), num_classes=7)
    net.stem = Stem([2, 4], [2, 2])
    return net, wrapped(net), unwrapped, 64


def next_convstem3():
    net = timm.create_model("convnext_base", depths=(1, 1, 1, 1), dims=(8, 6, 8, 10), num_classes=7)
    net.stem = Stem([4, 6, 8], [2, 2, 1])
    return net, wrapped(net), unwrapped, 64


OUT.mkdir(exist_ok=True)
want = {}
for make in (clip, dino, swin, next2, vit_convstem, next_convstem2, next_convstem3, flat_lite, flat_efficient):
    net, state, convert, size = make()
    save_file({k: v.contiguous() for k, v in state.items()}, OUT / f"{make.__name__}.safetensors")
    net.load_state_dict(convert(dict(state), net), strict=True)
    n, y, x, c = np.ogrid[:2, :size, :size, :3]
    pixels = torch.from_numpy((((3 * x + 5 * y + 40 * c + 64 * n) % 128) / 128).astype(np.float32).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        want[make.__name__] = dict(size=size, logits=net.eval()((pixels - .5) / .25).flatten().tolist())
(OUT / "foreign.json").write_text(json.dumps(dict(timm=timm.__version__, models=want), indent=1) + "\n")
