"""Exports classifiers of torchvision and timm as a user does, with logits and image gradients
by torch.

    python testdata/scripts/onnx_classifiers.py OUT [NAME…]
    METAMERS_ONNX_CLASSIFIERS=OUT go test ./metamerkit/zoo/onnx -run TestClassifiers -v -update

Each classifier has random weights; its batch normalisations are calibrated on random
images, so that activations neither vanish nor explode. Each of the two images is drawn until
torch's own gradient does not depend on rounding (on an activation at the kink of a ReLU), at most
TRIES times; the image that depends least on it is kept. OUT gets NAME.dynamo.onnx, by torch's default exporter (with the weights in a file beside
it), NAME.script.onnx, by the TorchScript exporter at opset 17, and NAME.safetensors: images
[2,S,S,3], logits, cotangents, gradient, and how far rounding moves torch's own gradient.
"""

import copy
import os
import pathlib
import sys
import time
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

# Name: (library, size of the image, further arguments).
CLASSIFIERS = {
    "resnet18": ("torchvision", 64, {}), "mobilenet_v2": ("torchvision", 64, {}), "mobilenet_v3_small": ("torchvision", 64, {}), "squeezenet1_1": ("torchvision", 64, {}),
    "shufflenet_v2_x0_5": ("torchvision", 64, {}), "mnasnet0_5": ("torchvision", 64, {}), "alexnet": ("torchvision", 64, {}), "googlenet": ("torchvision", 64, {"aux_logits": False, "init_weights": False}),
    "regnet_x_400mf": ("torchvision", 64, {}), "regnet_y_400mf": ("torchvision", 64, {}), "efficientnet_b0": ("torchvision", 64, {}), "convnext_tiny": ("torchvision", 64, {}), "swin_t": ("torchvision", 64, {}),
    "resnet10t": ("timm", 64, {}), "vit_tiny_patch16_224": ("timm", 64, {"img_size": 64}), "deit_tiny_patch16_224": ("timm", 64, {"img_size": 64}), "mixer_s32_224": ("timm", 64, {"img_size": 64}), "poolformer_s12": ("timm", 64, {}),
    "mobilevit_xxs": ("timm", 64, {}), "ghostnet_100": ("timm", 64, {}), "tf_efficientnet_lite0": ("timm", 64, {}), "edgenext_xx_small": ("timm", 64, {}), "mobileone_s0": ("timm", 64, {}), "repvgg_a0": ("timm", 64, {}),
    "lcnet_050": ("timm", 64, {}), "mobilenetv4_conv_small": ("timm", 64, {}), "tinynet_e": ("timm", 64, {}), "pit_ti_224": ("timm", 64, {"img_size": 64}), "resmlp_12_224": ("timm", 64, {"img_size": 64}), "fastvit_t8": ("timm", 64, {}),
    "ese_vovnet19b_dw": ("timm", 64, {}), "dla34": ("timm", 64, {}), "hardcorenas_a": ("timm", 64, {}), "cspresnet50": ("timm", 64, {}), "levit_128s": ("timm", 224, {}), "xcit_nano_12_p16_224": ("timm", 64, {"img_size": 64}),
    "pvt_v2_b0": ("timm", 64, {}), "convnextv2_atto": ("timm", 64, {}), "repvit_m0_9": ("timm", 64, {}), "mobilevitv2_050": ("timm", 64, {}), "rexnet_100": ("timm", 64, {}), "gmlp_ti16_224": ("timm", 64, {"img_size": 64}), "fasternet_t0": ("timm", 64, {}), "efficientvit_b0": ("timm", 64, {}),
    "resnext50_32x4d": ("torchvision", 64, {}), "densenet121": ("torchvision", 64, {}), "vit_b_16": ("torchvision", 64, {"image_size": 64}), "coatnet_nano_rw_224": ("timm", 64, {"img_size": 64}), "swin_v2_t": ("torchvision", 64, {}), "davit_tiny": ("timm", 64, {}),
    "efficientnet_v2_s": ("torchvision", 64, {}), "convmixer_768_32": ("timm", 64, {}), "inception_v3": ("torchvision", 96, {"init_weights": False}), "wide_resnet50_2": ("torchvision", 64, {}), "vgg11_bn": ("torchvision", 64, {}), "maxvit_t": ("torchvision", 224, {}),
}

TRIES = 16  # of each image


def build(name):
    library, size, options = CLASSIFIERS[name]
    torch.manual_seed(sum(map(ord, name)))
    if library == "timm":
        import timm

        m = timm.create_model(name, num_classes=10, **options)
    else:
        import torchvision

        m = torchvision.models.get_model(name, weights=None, num_classes=10, **options)
    # Branches that start as zero, and scales that start as 1e-6, are not seen in the result.
    for k, p in m.named_parameters():
        if p.ndim > 1 and p.abs().max() == 0:
            p.data.normal_(0, .02)
        elif p.ndim == 1 and p.abs().max() < 1e-3:
            p.data.uniform_(-.1, .1) if k.endswith("bias") else p.data.uniform_(.5, 1)
        elif p.ndim == 1 and not k.endswith("bias"):
            p.data *= torch.empty_like(p).uniform_(.8, 1.2)
    norms = [b for b in m.modules() if isinstance(b, torch.nn.modules.batchnorm._BatchNorm)]
    if norms:
        m.eval()
        for b in norms:
            b.reset_running_stats()
            b.momentum = None
            b.train()
        with torch.no_grad():
            m(torch.rand(8, 3, size, size))
    return m.eval(), size


def at(m, images, direction):
    """Logits and the gradient of their product with a direction."""
    x = images.clone().requires_grad_()
    y = m(x)
    y.backward(direction)
    return y.detach(), x.grad


def rounding(m, wide, image, direction):
    """How far rounding moves the gradient, relative to its length."""
    _, gradient = at(m, image, direction)
    _, exact = at(wide, image.double(), direction.double())
    _, near = at(wide, image.double() + 1e-5 * torch.randn(image.shape), direction.double())
    return max(float((g - exact).norm() / exact.norm()) for g in (gradient, near))


def main():
    warnings.simplefilter("ignore")
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or CLASSIFIERS:
        start = time.time()
        m, size = build(name)
        direction = torch.randn((2, 10), generator=torch.Generator().manual_seed(2))
        wide = copy.deepcopy(m).double()
        found = []
        for i in range(2):
            best = None
            for seed in range(i * TRIES, (i + 1) * TRIES):
                image = torch.from_numpy((np.random.default_rng(seed).integers(0, 256, (1, 3, size, size)) / 255).astype(np.float32))
                moved = rounding(m, wide, image, direction[i:i + 1])
                if best is None or moved < best[0]:
                    best = moved, image
                if moved < 5e-4:
                    break
            found.append(best)
        images = torch.cat([image for _, image in found])
        logits, gradient = at(m, images, direction)
        save_file({"images": images.permute(0, 2, 3, 1).contiguous(), "logits": logits.contiguous(), "direction": direction,
                   "gradient": gradient.permute(0, 2, 3, 1).contiguous(), "rounding": torch.tensor([max(moved for moved, _ in found)])}, out / f"{name}.safetensors", {"size": str(size)})
        for p in m.parameters():
            p.requires_grad_(False)
        image = images[:1]
        for label, options in [("script", {"dynamo": False, "opset_version": 17, "input_names": ["image"], "dynamic_axes": {"image": {0: "batch"}}}), ("dynamo", {"verbose": False})]:
            try:
                torch.onnx.export(m, (image,), out / f"{name}.{label}.onnx", **options)
            except Exception as e:
                (out / f"{name}.{label}.failed").write_text(str(e).strip().splitlines()[0][:200])
        print(f"{name}: {size} pixels, largest logit {logits.abs().max():.3g}, {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    main()
