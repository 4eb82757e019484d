"""Writes testdata/golden/<model>.safetensors: activations, losses and image gradients.

usage: golden.py --weights DIR [--cifar cifar-10-batches-bin] [--out testdata/golden]
The ViT of nets.py is first checked against onnxruntime on the file it was read from.
With --cifar the test accuracies are printed too, of all images and of the first 2000.
"""
import argparse

import numpy as np
import onnxruntime
import torch
from safetensors.torch import save_file

import nets

a = argparse.ArgumentParser()
a.add_argument("--weights", required=True)
a.add_argument("--cifar")
a.add_argument("--out", default="testdata/golden")
a = a.parse_args()

rng = np.random.default_rng(7)
yy, xx = np.mgrid[0:32, 0:32] / 32
images = np.stack([
    np.stack([.5 + .4 * np.sin(6 * xx + 2 * yy + c) * np.cos(5 * yy - c) for c in range(3)], 0),
    np.stack([np.exp(-((xx - .5) ** 2 + (yy - .4) ** 2) * (8 + 9 * c)) for c in range(3)], 0),
]).astype(np.float32)
images = torch.from_numpy(images.clip(0, 1))
start = torch.from_numpy(rng.normal(.5, .05, images.shape).astype(np.float32).clip(0, 1))


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1).contiguous() if t.dim() == 4 else t.detach().contiguous()


def check_vit(net):
    """Compares logits with onnxruntime, whose input is normalised pixels."""
    session = onnxruntime.InferenceSession(nets.vit_path(a.weights), providers=["CPUExecutionProvider"])
    pixels = torch.cat([images, start, torch.rand(60, 3, 32, 32, generator=torch.Generator().manual_seed(1))])
    want, = session.run(None, {"input": nets.vit_normal(pixels).numpy()})
    worst = np.abs(net(pixels)["logits"].numpy() - want).max()
    print(f"vit_pgd_2_3_16: largest difference from onnxruntime {worst:.2g} (logits up to {np.abs(want).max():.2g})")
    if not worst <= 1e-5:
        raise SystemExit("golden.py: the ViT of nets.py differs from its ONNX file by more than 1e-5")


for name in nets.NAMES:
    net, stages = nets.load(name, a.weights)
    if name == "vit_pgd_2_3_16":
        check_vit(net)
    ref = net(images)
    out = {"images": nhwc(images), "start": nhwc(start), "logits": nhwc(ref["logits"])}
    for stage, layer in stages.items():
        out["activation." + stage] = nhwc(ref[layer])
        for key, fake in (("gradient.", layer), ("gradient_plain.", None)):
            x = start.clone().requires_grad_()
            loss = nets.relative(net(x, fake)[layer], ref[layer].detach())
            loss.sum().backward()
            out["loss." + stage] = loss.detach()
            out[key + stage] = nhwc(x.grad)
    save_file(out, f"{a.out}/{name}.safetensors")
    line = name
    if a.cifar:
        x, y = nets.cifar_test(a.cifar)
        with torch.no_grad():
            hits = [(net(x[i:i + 500])["logits"].argmax(1).numpy() == y[i:i + 500]).sum() for i in range(0, 10000, 500)]
        line += f" {sum(hits) / 100:.2f} %, {sum(hits[:4])} of the first 2000"
    print(line, {k: tuple(v.shape) for k, v in out.items() if k.startswith("activation")})
print("torch", torch.__version__)
