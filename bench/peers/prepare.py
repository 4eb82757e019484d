"""Writes what the peers read: weights as .npz (so that the JAX peer needs no torch), and for
networks at 224² random weights as .safetensors for this project, and the golden step.

usage: prepare.py CHECKPOINT.th OUT.npz          weights of CIFAR-10, from a PyTorch checkpoint
       prepare.py --at-224 NAME FOLDER N [FILE]  NAME.npz, NAME.golden.safetensors, N photographs in
                                                 images/, and NAME.safetensors unless FILE has weights

Without FILE weights are random (random_weights.py). The golden step is timm's in float64.
"""
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.numpy import load_file, save_file

import serve
from random_weights import random_weights


def checkpoint(source, out):
    state = torch.load(source, map_location="cpu", weights_only=True)["state_dict"]
    np.savez(out, **{k.removeprefix("module."): v.numpy() for k, v in state.items()})


def photographs(folder, n):
    """The project's own, whose longer side is cut to a square, as 8-bit PNGs of 224²."""
    (folder / "images").mkdir(exist_ok=True)
    sources = sorted((Path(__file__).resolve().parents[2] / "testdata/photos").glob("*.jpg"))
    for i, source in enumerate(sources[:n]):
        ImageOps.fit(Image.open(source).convert("RGB"), (224, 224)).save(folder / f"images/{i:03d}.png")


def at_224(name, folder, n, source=None):
    import timm
    from torch_networks import distance, late_of
    photographs(folder, int(n))
    model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
    if source:
        w = load_file(source)
    else:
        w = random_weights({k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")})
        save_file(w, folder / f"{name}.safetensors")
    np.savez(folder / f"{name}.npz", **w)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in w.items()}, strict=False)
    late = late_of(model.double())
    images, start = serve.noise(2, 224)
    nchw = lambda x: torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2)
    x = nchw(start).requires_grad_()
    loss = distance(late, late(nchw(images)), x)
    g, = torch.autograd.grad(loss.sum(), x)
    save_file({"images": images, "start": start, "loss.late": loss.detach().numpy().astype(np.float32),
               "gradient.late": np.ascontiguousarray(g.permute(0, 2, 3, 1).numpy().astype(np.float32))}, folder / f"{name}.golden.safetensors")


if sys.argv[1] == "--at-224":
    at_224(sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
else:
    checkpoint(sys.argv[1], sys.argv[2])
