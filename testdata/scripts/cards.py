"""Writes cards of timm's vision transformers, Swins and ConvNeXts into models/, and the names
and shapes of their parameters, as a sum, into testdata/golden/parameters_timm.json.

usage: cards.py [--out models] [--check]          (--check writes nothing and says what differs)

What a card says comes from timm's own model (drawn on the meta device, without weights) and
its default_cfgs: shape, normalisation, crop, interpolation, licence, repository. Sums and
revisions are not known here and stay out; pulling pins what the hub states. A card that is
there keeps its weights, if it knows their sum, and measured values.

The robust models are RobustBench's (imagenet.py and convstem_models.py of its model zoo, read
in November 2026): architectures of timm's, some with a stem of convolutions, weights on Google
Drive. Nothing about these files could be checked here; licences are not stated with them.

    PY -m pip install timm==1.0.31 torch==2.11.0
"""
import argparse
import hashlib
import json
import math
import pathlib
import sys

import timm
import torch
from timm.models.convnext import ConvNeXt
from timm.models.deit import VisionTransformerDistilled
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import Block, VisionTransformer

# arch.tag: title, paper. Aliases are the names that people type.
SIZES = dict(tiny="Ti", small="S", base="B", large="L", huge="H", so400m="So400m")
VIT, AUGREG, DEIT, DEIT3 = "arXiv:2010.11929", "arXiv:2106.10270", "arXiv:2012.12877", "arXiv:2204.07118"
DINO, DINO2, REG, MAE = "arXiv:2104.14294", "arXiv:2304.07193", "arXiv:2309.16588", "arXiv:2111.06377"
CLIP, OPENCLIP, SIGLIP, SWIN = "arXiv:2103.00020", "arXiv:2212.07143", "arXiv:2303.15343", "arXiv:2103.14030"
NEXT, NEXT2 = "arXiv:2201.03545", "arXiv:2301.00808"
IN1K, IN21K = "ImageNet-1k", "ImageNet-21k, then 1k"


def vit(arch):
    size, patch = arch.split("_")[1], arch.split("patch")[1].split("_")[0]
    return f"{SIZES[size]}/{patch}"


def catalogue():
    for a in ("tiny_patch16_224 tiny_patch16_384 small_patch32_224 small_patch16_224 small_patch16_384 base_patch32_224 "
              "base_patch16_224 base_patch16_384 base_patch8_224 large_patch16_224 large_patch16_384").split():
        yield f"vit_{a}.augreg_in21k_ft_in1k", f"ViT-{vit('vit_' + a)}, {IN21K}", AUGREG
    for a in "small_patch16_224 base_patch32_224 base_patch16_224".split():
        yield f"vit_{a}.augreg_in1k", f"ViT-{vit('vit_' + a)}, {IN1K}", AUGREG
    yield "vit_base_patch16_224.augreg2_in21k_ft_in1k", f"ViT-B/16, AugReg 2, {IN21K}", AUGREG
    yield "vit_base_patch16_224.orig_in21k_ft_in1k", f"ViT-B/16 of the first paper, {IN21K}", VIT
    yield "vit_huge_patch14_224.orig_in21k", "ViT-H/14 of the first paper, ImageNet-21k, features", VIT
    for s in "tiny small base".split():
        yield f"deit_{s}_patch16_224.fb_in1k", f"DeiT-{SIZES[s]}/16, {IN1K}", DEIT
        yield f"deit_{s}_distilled_patch16_224.fb_in1k", f"DeiT-{SIZES[s]}/16 distilled, {IN1K}", DEIT
    for s in "small base large".split():
        yield f"deit3_{s}_patch16_224.fb_in1k", f"DeiT III-{SIZES[s]}/16, {IN1K}", DEIT3
    for a in "small_patch16_224 small_patch8_224 base_patch16_224 base_patch8_224".split():
        yield f"vit_{a}.dino", f"DINO ViT-{vit('vit_' + a)}", DINO
    for s in "small base large".split():
        yield f"vit_{s}_patch14_dinov2.lvd142m", f"DINOv2 ViT-{SIZES[s]}/14", DINO2
        yield f"vit_{s}_patch14_reg4_dinov2.lvd142m", f"DINOv2 ViT-{SIZES[s]}/14 with registers", REG
    for s in "base large huge".split():
        yield f"vit_{s}_patch{14 if s == 'huge' else 16}_224.mae", f"MAE ViT-{SIZES[s]}/{14 if s == 'huge' else 16}", MAE
    for a in "base_patch32 base_patch16 large_patch14".split():
        yield f"vit_{a}_clip_quickgelu_224.openai", f"OpenAI CLIP, image tower ViT-{vit('vit_' + a)}", CLIP
        yield f"vit_{a}_clip_224.laion2b", f"OpenCLIP LAION-2B, image tower ViT-{vit('vit_' + a)}", OPENCLIP
        yield f"vit_{a}_clip_224.datacompxl", f"OpenCLIP DataComp-XL, image tower ViT-{vit('vit_' + a)}", "arXiv:2304.14108"
    yield "vit_huge_patch14_clip_224.laion2b", "OpenCLIP LAION-2B, image tower ViT-H/14", OPENCLIP
    for a in "base_patch32 base_patch16 large_patch14".split():
        for tag in ("openai_ft_in1k", "laion2b_ft_in12k_in1k"):
            yield f"vit_{a}_clip_224.{tag}", f"CLIP ViT-{vit('vit_' + a)}, fine-tuned on {IN1K} ({tag.split('_')[0]})", OPENCLIP
    for a in "base_patch16_siglip_224 base_patch16_siglip_256 large_patch16_siglip_256 so400m_patch14_siglip_224".split():
        yield f"vit_{a}.webli", f"SigLIP, image tower ViT-{vit('vit_' + a)}", SIGLIP
    for a in "base_patch16_siglip_224 large_patch16_siglip_256".split():
        yield f"vit_{a}.v2_webli", f"SigLIP 2, image tower ViT-{vit('vit_' + a)}", "arXiv:2502.14786"
    for a in ("tiny_patch4_window7_224.ms_in1k small_patch4_window7_224.ms_in1k base_patch4_window7_224.ms_in1k "
              "tiny_patch4_window7_224.ms_in22k_ft_in1k small_patch4_window7_224.ms_in22k_ft_in1k "
              "base_patch4_window7_224.ms_in22k_ft_in1k base_patch4_window12_384.ms_in22k_ft_in1k "
              "large_patch4_window7_224.ms_in22k_ft_in1k large_patch4_window12_384.ms_in22k_ft_in1k").split():
        size, data = SIZES.get(a.split("_")[0])[0], "ImageNet-22k, then 1k" if "22k" in a else IN1K
        yield f"swin_{a}", f"Swin-{size} at {a.split('.')[0][-3:]}, {data}", SWIN
    for a in "atto.d2_in1k femto.d1_in1k pico.d1_in1k nano.d1h_in1k nano.in12k_ft_in1k".split():
        yield f"convnext_{a}", f"ConvNeXt-{a.split('.')[0].capitalize()}, {'ImageNet-12k, then 1k' if '12k' in a else IN1K} (timm)", NEXT
    for s in "atto femto pico nano".split():
        yield f"convnext_{s}_ols.{dict(atto='a2', nano='d1h').get(s, 'd1')}_in1k", f"ConvNeXt-{s.capitalize()} with an overlapping stem, {IN1K} (timm)", NEXT
    yield "convnext_tiny_hnf.a2h_in1k", f"ConvNeXt-T, norm before pooling, {IN1K} (timm)", NEXT
    for s in "tiny small base large".split():
        yield f"convnext_{s}.fb_in1k", f"ConvNeXt-{SIZES[s][0]}, {IN1K}", NEXT
        yield f"convnext_{s}.fb_in22k_ft_in1k", f"ConvNeXt-{SIZES[s][0]}, ImageNet-22k, then 1k", NEXT
    yield "convnext_tiny.in12k_ft_in1k", "ConvNeXt-T, ImageNet-12k, then 1k (timm)", NEXT
    yield "convnext_base.clip_laion2b", "OpenCLIP LAION-2B, image tower ConvNeXt-B", OPENCLIP
    for s in "atto femto pico nano tiny base large huge".split():
        yield f"convnextv2_{s}.fcmae_ft_in1k", f"ConvNeXt V2-{s.capitalize()}, masked autoencoder, then {IN1K}", NEXT2
    for s in "nano tiny base large".split():
        yield f"convnextv2_{s}.fcmae_ft_in22k_in1k", f"ConvNeXt V2-{s.capitalize()}, masked autoencoder, then ImageNet-22k and 1k", NEXT2


SINGH, LIU, MO = "arXiv:2303.01870", "arXiv:2302.14301", "arXiv:2210.07540"
MUNOZ = "arXiv:2409.20139"
RAW = ([0, 0, 0], [1, 1, 1])  # no normalisation
B224 = {"crop": 0.875}
# RobustBench's name: card like, file on Google Drive, changes of config, of input, title, paper.
ROBUST = {
    "Liu2023Comprehensive_ConvNeXt-B": ("convnext_base.fb_in1k", "10-nSm-qUftvfKXHeOAakBQl8rxm-jCbk", {}, B224, "ConvNeXt-B", LIU),
    "Liu2023Comprehensive_ConvNeXt-L": ("convnext_large.fb_in1k", "1dIPLNfdQtAnqZrKPyuy3_zDI-FVgJ2FH", {}, B224, "ConvNeXt-L", LIU),
    "Liu2023Comprehensive_Swin-B": ("swin_base_patch4_window7_224.ms_in1k", "1-4mtxQCkThJUVdS3wvQ6NnmMZuySqR3c", {}, B224, "Swin-B", LIU),
    "Liu2023Comprehensive_Swin-L": ("swin_large_patch4_window7_224.ms_in22k_ft_in1k", "1-57sQfcrsDsslfDR18nRD7FnpQmsSBk7", {}, B224, "Swin-L", LIU),
    "Mo2022When_Swin-B": ("swin_base_patch4_window7_224.ms_in1k", "1-SXi4Z2X6Zo_j8EO4slJcBMXNej8fKUd", {}, {"filter": "bilinear"}, "Swin-B", MO),
    "Mo2022When_ViT-B": ("vit_base_patch16_224.augreg_in1k", "1-dUFdvDBflqMsMLjZv3wlPJTm-Jm7net", {}, {"filter": "bilinear"}, "ViT-B/16", MO),
    "RodriguezMunoz2024Characterizing_Swin-B": ("swin_base_patch4_window7_224.ms_in1k", "1-BSUjoFXx3PP-TfeE5fjbofO2lLyUf56", {}, B224, "Swin-B", MUNOZ),
    "RodriguezMunoz2024Characterizing_Swin-L": ("swin_large_patch4_window7_224.ms_in22k_ft_in1k", "1-Dc9WhPU2wv4OMskLo1U57n5O8VbpNXv", {}, B224, "Swin-L", MUNOZ),
    "Singh2023Revisiting_ViT-S-ConvStem": ("deit_small_patch16_224.fb_in1k", "1-1sUYXnj6bDXacIKI3KKqn4rlkmL-ZI2", {"conv_stem": 48}, B224, "ViT-S/16 with a stem of convolutions", SINGH),
    "Singh2023Revisiting_ViT-B-ConvStem": ("vit_base_patch16_224.augreg_in1k", "1-JBbfi_eH3tKMXObvPPHprrZae0RiQGT", {"conv_stem": 48}, B224 | {"raw": 1}, "ViT-B/16 with a stem of convolutions", SINGH),
    "Singh2023Revisiting_ConvNeXt-T-ConvStem": ("convnext_tiny.fb_in1k", "1-FjtOF6LJ3-bf4VezsmWwncCxYSx-USP", {"stem": "conv2"}, B224 | {"raw": 1}, "ConvNeXt-T with a stem of convolutions", SINGH),
    "Singh2023Revisiting_ConvNeXt-S-ConvStem": ("convnext_small.fb_in1k", "1-ZrMYajCCnrtV4oT0wa3qJJoQy1nUSnL", {"stem": "conv2"}, B224 | {"raw": 1}, "ConvNeXt-S with a stem of convolutions", SINGH),
    "Singh2023Revisiting_ConvNeXt-B-ConvStem": ("convnext_base.fb_in1k", "1-lE-waaVvfL7lgBrydmZIM9UJimmHnVe", {"stem": "conv3"}, B224 | {"raw": 1}, "ConvNeXt-B with a stem of convolutions", SINGH),
    "Singh2023Revisiting_ConvNeXt-L-ConvStem": ("convnext_large.fb_in1k", "10-YOVdM2EQjHemSi9x2H44qKRSOXVQmh", {"stem": "conv3"}, B224 | {"raw": 1}, "ConvNeXt-L with a stem of convolutions", SINGH),
}


def robust(name, like):
    """The card of a robust model, from that of the timm model which it is like."""
    _, drive, config, given, title, paper = ROBUST[name]
    mean, std = RAW if given.get("raw") else ([.485, .456, .406], [.229, .224, .225])
    given = {k: v for k, v in given.items() if k != "raw"}
    return {"name": name, "title": title + (", trained with small input gradients" if paper == MUNOZ else ", adversarially trained (L∞, 4/255)"), "kind": like["kind"], "training": "robust", "family": like["family"],
            "config": like["config"] | config, "input": {"size": 224, "mean": mean, "std": std} | given,
            "classes": 1000, "labels": "imagenet1k", "stages": like["stages"],
            "weights": {"file": name + ".pt", "url": f"https://drive.usercontent.google.com/download?id={drive}&export=download&confirm=t",
                        "source": "https://github.com/RobustBench/robustbench"},
            "licence": "unstated", "paper": paper}


def training(name):
    tag = name.split(".")[1]
    if "_ft_" in tag or "in1k" in tag:
        return "standard"
    if any(w in name for w in ("dino", ".mae")):
        return "self-supervised"
    if any(w in name for w in ("clip", "openai", "webli")):
        return "language-image"
    return "standard"


def act(m):
    names = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "QuickGELU": "quick_gelu"}
    if isinstance(m, torch.nn.GELU):
        return "gelu" if m.approximate == "none" else "gelu_tanh"
    return names[type(m).__name__]


def vit_card(m, name, classes):
    b = m.blocks[0]
    assert all(type(x) is Block for x in m.blocks) and isinstance(b.attn.q_norm, torch.nn.Identity), name
    hidden, width = b.mlp.fc1.out_features, m.embed_dim
    c = dict(patch=m.patch_embed.patch_size[0], width=width, depth=len(m.blocks), heads=b.attn.num_heads)
    if hidden != 4 * width:
        c["mlp_ratio"] = math.ceil(hidden / width * 1e4) / 1e4
        assert int(width * c["mlp_ratio"]) == hidden, name
    c |= classes
    prefix = 0 if m.no_embed_class else m.num_prefix_tokens
    grid = math.isqrt(m.pos_embed.shape[1] - prefix)
    assert grid * grid == m.pos_embed.shape[1] - prefix, name
    if m.cls_token is None:
        c["no_class_token"] = True
    if isinstance(m, VisionTransformerDistilled):
        c["distilled"] = True
    if m.num_reg_tokens:
        c["registers"] = m.num_reg_tokens
    if m.no_embed_class:
        c["patch_pos_only"] = True
    if not isinstance(m.norm_pre, torch.nn.Identity):
        c["pre_norm"] = True
    assert m.global_pool in ("token", "avg", "map"), name
    if m.global_pool != "token":
        c["pool"] = m.global_pool
    late_norm = not isinstance(m.fc_norm, torch.nn.Identity)
    if late_norm != (m.global_pool == "avg"):
        c["fc_norm"] = late_norm
    assert late_norm == isinstance(m.norm, torch.nn.Identity), name
    if not isinstance(b.ls1, torch.nn.Identity):
        c["layer_scale"] = True
    if b.attn.qkv.bias is None:
        c["no_qkv_bias"] = True
    if act(b.mlp.act) != "gelu":
        c["activation"] = act(b.mlp.act)
    if b.norm1.eps != 1e-6:
        c["eps"] = b.norm1.eps
    n = len(m.blocks)
    pooled = {"token": "the class token after the last norm", "avg": "the mean of the patches, normalised",
              "map": "the pooled patches (attention)"}[m.global_pool]
    if "distilled" in c:
        pooled = "the class and the distillation token after the last norm"
    why = "all tokens after %s of the blocks"
    return c, grid * c["patch"], {
        "early": (f"blocks.{round(n / 3) - 1}", why % "a third"), "middle": (f"blocks.{round(2 * n / 3) - 1}", why % "two thirds"),
        "late": ("pre_logits", f"what {'the classifier reads' if 'classes' in c and c['classes'] else 'the model hands on'}: {pooled}")}


def staged(prefix, depths, late):
    """The stages of a hierarchy: after a third and two thirds of all blocks."""
    out, total = {}, sum(depths)
    for stage, share, words in (("early", 1, "a third"), ("middle", 2, "two thirds")):
        k, at = round(share * total / 3), 0
        for i, d in enumerate(depths):
            if k <= at + d:
                break
            at += d
        name = f"{prefix}.{i}" if k == at + d else f"{prefix}.{i}.blocks.{k - at - 1}"
        out[stage] = (name, f"after {words} of the blocks")
    out["late"] = ("pre_logits", late)
    return out


def swin_card(m, name, classes):
    depths = [len(s.blocks) for s in m.layers]
    heads = [s.blocks[0].attn.num_heads for s in m.layers]
    c = dict(width=m.embed_dim, depths=depths, heads=heads)
    if m._ref_window_sizes[0][0] != 7:
        c["window"] = m._ref_window_sizes[0][0]
    return c | classes, m.patch_embed.img_size[0], staged("layers", depths, "what the classifier reads: the mean of the normalised pixels")


def convnext_card(m, name, classes):
    depths = [len(s.blocks) for s in m.stages]
    c = dict(depths=depths, dims=[s.blocks[0].conv_dw.out_channels for s in m.stages])
    stem, b = m.stem, m.stages[0].blocks[0]
    if stem[0].kernel_size != (4, 4):
        assert len(stem) == 3, name
        c["stem"] = "overlap" if stem[0].out_channels == c["dims"][0] else "overlap_tiered"
    if b.use_conv_mlp:
        c["conv_mlp"] = True
    if hasattr(b.mlp, "grn") and not isinstance(b.mlp.grn, torch.nn.Identity):
        c["grn"] = True
    assert ("grn" in c) == (b.gamma is None) and b.conv_dw.kernel_size == (7, 7), name
    if not isinstance(m.norm_pre, torch.nn.Identity):
        c["head_norm_first"] = True
    elif not isinstance(m.head.pre_logits, torch.nn.Identity):
        c["head_hidden"] = m.head.pre_logits.fc.out_features
    if b.norm.eps != 1e-6:
        c["eps"] = b.norm.eps
    return c | classes, None, staged("stages", depths, "what the classifier reads: the normalised mean of the pixels"
                                     if c.get("head_norm_first") is None else "what the classifier reads: the mean of the normalised pixels")


def card(name, title, paper, old):
    with torch.device("meta"):
        m = timm.create_model(name, pretrained=False)
    cfg = m.pretrained_cfg
    hub = cfg["hf_hub_id"]  # a quickgelu model's weights are in the repository without that word
    assert hub == "timm/" + name.replace("_quickgelu", ""), (name, hub)
    n = cfg["num_classes"]
    tower = training(name) == "language-image" and n > 0
    classes = dict(classes=0, embedding=n) if tower else dict(classes=n)
    family, config, size, stages = next(
        (f, *make(m, name, classes)) for f, kind, make in (
            ("vit", VisionTransformer, vit_card), ("swin", SwinTransformer, swin_card), ("convnext", ConvNeXt, convnext_card)) if isinstance(m, kind))
    image = cfg["input_size"][1]
    if "dinov2" in name:  # trained at 518, evaluated at 224 by their authors
        config["pos_grid"], image = size // config["patch"], 224
    given = {"size": image, "mean": list(cfg["mean"]), "std": list(cfg["std"])}
    crop = 0.875 if "dinov2" in name else cfg["crop_pct"]
    given |= ({"crop": crop} if crop != 1 else {}) | ({"filter": cfg["interpolation"]} if cfg["interpolation"] != "bicubic" else {})
    assert cfg["interpolation"] in ("bicubic", "bilinear") and n in (0, 1000) or tower, (name, n)
    licence = {"apache-2.0": "Apache-2.0", "mit": "MIT", "cc-by-nc-4.0": "CC-BY-NC-4.0"}[cfg["license"]]
    out = {"name": name}
    if cfg["tag"] == timm.get_pretrained_cfg(name.split(".")[0]).tag:
        out["aliases"] = [name.split(".")[0]]  # timm's own default for that name
    out |= {"title": title, "kind": "cnn" if family == "convnext" else "transformer", "training": training(name), "family": family,
            "config": config, "input": given, "classes": 0 if tower else n, "labels": "imagenet1k" if n == 1000 and not tower else "",
            "stages": {k: {"layer": l, "why": w} for k, (l, w) in stages.items()},
            "weights": old["weights"] if old.get("weights", {}).get("sha256") else {"file": "model.safetensors", "hub": hub, "source": "https://huggingface.co/" + hub},
            "licence": licence, "paper": paper}
    if old.get("measured"):
        out["measured"] = old["measured"]
    shapes = "".join(f"{k} {list(t.shape)}\n" for k, t in sorted(m.state_dict().items()))
    return family, out, {"tensors": len(m.state_dict()), "sha256": hashlib.sha256(shapes.encode()).hexdigest()}


a = argparse.ArgumentParser()
a.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "models")
a.add_argument("--check", action="store_true")
a = a.parse_args()
differ, parameters, timms = 0, {}, {}


def put(family, c):
    global differ
    path, new = a.out / family / f"{c['name']}.json", json.dumps(c, indent=2, ensure_ascii=False) + "\n"
    if not path.exists() or path.read_text() != new:
        differ += 1
        print(("differs: " if a.check else "wrote ") + c["name"])
        if not a.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(new)


for name, title, paper in catalogue():
    found = list(a.out.glob(f"*/{name}.json"))
    family, timms[name], parameters[name] = card(name, title, paper, json.loads(found[0].read_text()) if found else {})
    put(family, timms[name])
for name in ROBUST:
    c = robust(name, timms[ROBUST[name][0]])
    put(c["family"], c)
if not a.check:
    (pathlib.Path(__file__).parents[1] / "golden" / "parameters_timm.json").write_text(
        json.dumps(dict(timm=timm.__version__, models=parameters), indent=1, sort_keys=True) + "\n")
sys.exit(a.check and differ > 0)
