"""Writes testdata/golden/zoo/<name>.safetensors: activations, losses, gradients of zoo families.

usage: zoo_golden.py FAMILY... [--out testdata/golden/zoo]     (families: files of testdata/scripts/zoo)

Each table of zoo/<family>.toml is one golden file:

    [resnet14t]                         # name of the golden file
    library = "timm"                    # or "torchvision"
    arch = "resnet14t"                  # a model of that library, or module:function
    args = {img_size = 64}              # its keyword arguments (lists become tuples)
    config = {layers = [1, 1, 1, 1]}    # the card's config, for the family in Go
    size = 64                           # pixels a side
    depthwise = 1.8                     # factor of depthwise kernels, where activations vanish without
    early = ["layer1", "layer1.0.act3", "relu"]

A stage names the layer in Go, the module in Python and what to do with it:
"relu" (the module is the ReLU that the layer ends in: its gradient passes unchanged),
"relu=a,b" (so do these modules'), "input" (the module's input instead of its output), "nhwc" (it is NHWC already; any other
rank-4 activation is taken as NCHW). Files hold NHWC.

Weights and images come from a formula that zootest/formula.go repeats bit for bit, so
that neither is in the files; nor are whole activations and gradients: at most SAMPLES
elements of each, at indices that the formula gives, and the norm of the whole per image.
"""
import argparse
import importlib
import json
import pathlib
import tomllib

import numpy as np
import torch
from safetensors.torch import save_file

SAMPLES = 1536
HERE = pathlib.Path(__file__).parent
MEAN, STD = [.485, .456, .406], [.229, .224, .225]


def fnv1a64(text):
    h = 0xcbf29ce484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001b3) & 0xffffffffffffffff
    return h


def bits(key, n):
    """n numbers of 64 bits: splitmix64 of fnv1a64(key) + i."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv1a64(key)) + np.arange(n, dtype=np.uint64) + np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        return z ^ (z >> np.uint64(31))


def uniform(key, n):
    """n float64 in [-1,1), multiples of 2^-52."""
    return (bits(key, n) >> np.uint64(11)).astype(np.float64) * 2.0 ** -52 - 1


def weight(key, shape, depthwise):
    """The tensor called key of a state dict, in PyTorch's layout."""
    shape, last = tuple(shape), key.rsplit(".", 1)[-1]
    u = uniform(key, int(np.prod(shape, dtype=np.int64)))
    if last == "running_var" or (len(shape) == 1 and last == "weight"):
        w = 1 + .25 * u
    elif len(shape) == 1 and "gamma" in key:
        w = .5 + .25 * u
    elif len(shape) <= 1:
        w = .1 * u
    elif len(shape) == 4 and not position(key):
        w = u * (np.sqrt(6 / np.prod(shape[1:], dtype=np.float64)) * (depthwise if shape[1] == 1 else 1))
    elif len(shape) == 2 and not position(key):
        w = u * np.sqrt(3 / float(shape[1]))
    else:
        w = .5 * u
    return torch.from_numpy(w.astype(np.float32).reshape(shape))


def position(key):
    return any(p in key for p in ("pos_embed", "position", "token", "class_emb"))


def pixels(size):
    """images, start [2,3,S,S]: noise on a ramp; noise of mean .5 and deviation .05."""
    n, y, x, c = np.ogrid[:2, :size, :size, :3]
    noise = (uniform("images", 2 * size * size * 3).reshape(2, size, size, 3) + 1) * .5
    ramp = ((3 * x + 5 * y + 40 * c + 64 * n) % 128) / 128
    images = (.5 * noise + .5 * ramp).astype(np.float32)
    start = (.5 + .0866 * uniform("start", images.size)).astype(np.float32).reshape(images.shape)
    nchw = lambda a: torch.from_numpy(a.transpose(0, 3, 1, 2).copy())
    return nchw(images), nchw(start)


def values(v):
    """Lists as tuples, and "module:name" as what it names."""
    if isinstance(v, str) and ":" in v:
        module, name = v.split(":")
        return getattr(importlib.import_module(module), name)
    if isinstance(v, list):
        return tuple(map(values, v))
    return {k: values(e) for k, e in v.items()} if isinstance(v, dict) else v


def build(spec):
    args = {k: values(v) for k, v in spec.get("args", {}).items()}
    library = importlib.import_module(spec["library"])
    module, _, function = spec["arch"].partition(":")
    if function:
        net = getattr(importlib.import_module(module), function)(**args)
    elif spec["library"] == "timm":
        net = library.create_model(spec["arch"], pretrained=False, **args)
    else:
        net = library.models.get_model(spec["arch"], weights=None, **args)
    net.eval().requires_grad_(False)
    state = net.state_dict()
    new = {k: weight(k, v.shape, spec.get("depthwise", 1)) if v.is_floating_point() else v for k, v in state.items()}
    net.load_state_dict(new, strict=True)
    return net, f"{spec['library']} {library.__version__}"


class Pass(torch.nn.Module):
    """A ReLU whose gradient passes unchanged."""
    def forward(self, z):
        return torch.relu(z).detach() + z - z.detach()


def tap(net, path, how, pixels, passing):
    """The activation of a module for pixels in [0,1], NHWC, and the logits."""
    got = []
    relus = [p for h in how if h.startswith("relu") for p in (h.partition("=")[2] or path).split(",")]
    modules = {p: net.get_submodule(p) for p in relus}
    for p, m in modules.items():
        if not isinstance(m, torch.nn.ReLU):
            raise SystemExit(f"{p} is a {type(m).__name__}, no ReLU")
        if passing:
            net.set_submodule(p, Pass())
    keep = lambda m, i, o: got.append((i[0] if "input" in how else o).clone())
    hook = net.get_submodule(path).register_forward_hook(keep)
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (MEAN, STD))
    logits = net((pixels - mean) / std)
    hook.remove()
    for p, m in modules.items():
        net.set_submodule(p, m)
    if len(got) != 1:
        raise SystemExit(f"{path} ran {len(got)} times, expected once")
    return (got[0].permute(0, 2, 3, 1) if got[0].dim() == 4 and "nhwc" not in how else got[0]), logits


def sample(key, t):
    """[B,…] → norms [B] and the sampled elements of the flattened tensor."""
    t = t.detach().contiguous()
    norm, flat = t.flatten(1).double().norm(dim=1).float(), t.flatten()
    if flat.numel() > SAMPLES:
        flat = flat[torch.from_numpy((bits("sample." + key, SAMPLES) % np.uint64(flat.numel())).astype(np.int64))]
    return {key: flat.contiguous(), key + ".norm": norm}


def golden(name, family, spec, out):
    net, version = build(spec)
    images, start = pixels(spec["size"])
    data, layers, shapes = {}, {}, {}
    for stage in ("early", "middle", "late"):
        layers[stage], path, *how = spec[stage]
        target, logits = tap(net, path, how, images, False)
        x = start.clone().requires_grad_()
        a, _ = tap(net, path, how, x, True)
        loss = (a - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)
        grad, = torch.autograd.grad(loss.sum(), x)
        shapes[stage] = list(target.shape)
        data |= sample("activation." + stage, target) | sample("gradient." + stage, grad.permute(0, 2, 3, 1))
        data["loss." + stage] = loss.detach()
    data |= sample("logits", logits)
    meta = dict(family=family, config=json.dumps(spec.get("config", {})), size=str(spec["size"]), depthwise=str(spec.get("depthwise", 1)),
                layers=json.dumps(layers), shapes=json.dumps(shapes), arch=spec["arch"],
                args=json.dumps(spec.get("args", {})), reference=version, torch=torch.__version__)
    path = out / f"{name}.safetensors"
    save_file(data, path, metadata=meta)
    print(f"{name}: {path.stat().st_size / 1024:.0f} KB,", {s: (
        shapes[s], "rms %.2g" % (data[f'activation.{s}.norm'][0] / np.sqrt(np.prod(shapes[s][1:]))),
        "loss %.2g" % data[f'loss.{s}'][0], "gradient %.2g" % data[f'gradient.{s}.norm'][0]) for s in shapes})


a = argparse.ArgumentParser()
a.add_argument("families", nargs="+")
a.add_argument("--out", type=pathlib.Path, default=HERE.parent / "golden" / "zoo")
a = a.parse_args()
for family in a.families:
    for name, spec in tomllib.loads((HERE / "zoo" / f"{family}.toml").read_text()).items():
        golden(name, family, spec, a.out)
