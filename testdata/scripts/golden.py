"""Writes testdata/golden/<model>.safetensors: activations, losses and image gradients.

usage: golden.py --weights DIR [--cifar cifar-10-batches-bin] [--out testdata/golden]
"""
import argparse

import numpy as np
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


for name in nets.NAMES:
    net, stages = nets.load(name, a.weights)
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
            hits = sum((net(x[i:i + 500])["logits"].argmax(1).numpy() == y[i:i + 500]).sum() for i in range(0, 10000, 500))
        line += f" {hits / 100:.2f} %"
    print(line, {k: tuple(v.shape) for k, v in out.items() if k.startswith("activation")})
print("torch", torch.__version__)
