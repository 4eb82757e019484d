"""Writes testdata/golden/carried: the networks and photographs that the repository carries.

usage: carried.py [--shake E [--shake-seed S]]
NAME.safetensors are activations, losses and image gradients of two photographs, as of
golden.py, but of each activation every 8th value. pgd_SET.safetensors is the paper's
procedure on eight photographs, as of pgd.py, with 160 steps. images.safetensors are the
photographs at 32x32, by Pillow. With --shake the start is moved by E*N(0,1); then the
mean losses are printed beside those of the golden files and nothing is written.
"""
import argparse
import csv

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import nets

a = argparse.ArgumentParser()
a.add_argument("--shake", type=float, default=0)
a.add_argument("--shake-seed", type=int, default=0)
a = a.parse_args()
torch.set_num_threads(1)

OUT, WEIGHTS = "testdata/golden/carried", "models/trained"
N, EVERY, HALVINGS, STEPS, SAMPLE = 8, 10, 8, 160, 8
MODELS = [f"{arch}.mm_c10{robust}" for arch in ("resnet8_48", "plain7_48", "vit_4_96") for robust in ("", "_linf8")]
SETS = {
    "robust_cnns": ["plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"],
    "standard_resnet": ["resnet8_48.mm_c10"],
    "robust_vit": ["vit_4_96.mm_c10_linf8"],
}


def photograph(name):
    return np.asarray(Image.open(f"testdata/photos/{name}.jpg").convert("RGB").resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 255


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1).contiguous() if t.dim() == 4 else t.detach().contiguous()


with open("testdata/photos/labels.tsv") as f:
    names = [row[0] for row in csv.reader(f, delimiter="\t")][1:N + 1]
photos = torch.from_numpy(np.stack([photograph(n) for n in names])).permute(0, 3, 1, 2).contiguous()
start = torch.from_numpy(np.random.default_rng(11).normal(.5, .05, (16, 32, 32, 3)).astype(np.float32).clip(0, 1))[:N].permute(0, 3, 1, 2).contiguous()

if not a.shake:
    save_file({"images": nhwc(photos)}, f"{OUT}/images.safetensors")
    for name in MODELS:
        net, stages = nets.carried(name, WEIGHTS)
        ref = net(photos[:2])
        out = {"logits": ref["logits"]}
        for stage, layer in stages.items():
            out["activation." + stage] = nhwc(ref[layer]).flatten()[::SAMPLE].contiguous()
            x = start[:2].clone().requires_grad_()
            loss = nets.relative(net(x, layer)[layer], ref[layer])
            loss.sum().backward()
            out["loss." + stage], out["gradient." + stage] = loss.detach(), nhwc(x.grad)
        save_file(out, f"{OUT}/{name}.safetensors")
        print(name, {k: [round(v, 5) for v in out[k].tolist()] for k in out if k.startswith("loss")})

for label, names in SETS.items():
    members = [nets.carried(n, WEIGHTS) for n in names]
    out, path = {}, f"{OUT}/pgd_{label}.safetensors"
    was = load_file(path) if a.shake else {}
    for stage in ("early", "middle", "late"):
        layers = [stages[stage] for _, stages in members]
        with torch.no_grad():
            targets = [net(photos)[l] for (net, _), l in zip(members, layers)]
        x = start
        if a.shake:
            x = x + a.shake * torch.randn(x.shape, generator=torch.Generator().manual_seed(a.shake_seed))
        first = []
        for i in range(STEPS):
            m = (i // EVERY) % len(members)
            x.requires_grad_()
            loss = nets.relative(members[m][0](x, layers[m])[layers[m]], targets[m])
            g, = torch.autograd.grad(loss.sum(), x)
            if i < 20:
                first.append(loss.detach())
            g = g / (g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)
            x = (x.detach() - 2.0 ** -(i * HALVINGS // STEPS) * g).clamp(0, 1)
        with torch.no_grad():
            final = torch.stack([nets.relative(net(x)[l], t) for (net, _), l, t in zip(members, layers, targets)])
        out["losses20." + stage], out["final." + stage] = torch.stack(first), final
        line = f"{label} {stage} mean relative loss {[round(v, 5) for v in final.mean(1).tolist()]}"
        if was:
            far = out["losses20." + stage].mean(1) / was["losses20." + stage].mean(1) - 1
            late = (far.abs() > 1e-3).nonzero().flatten().tolist()
            change = final.mean(1) / was["final." + stage].mean(1) - 1
            line += f", {[round(100 * v, 1) for v in change.tolist()]} %; mean of the first 20 within {far.abs().max():.1g}, above 1e-3 from {late[:1]}"
        print(line, flush=True)
    if not a.shake:
        save_file(out, path)
print("torch", torch.__version__)
