"""Times one step of synthesis at 224² in PyTorch (eager or compiled) and in JAX, on one GPU.

The step: images in [0,1] → normalised → the network's late stage (what the classifier reads) →
relative L2 distance to a target per image → gradient of the sum → pgd → clipped to [0,1].

Each combination of --program, --model, --precision and --batch (comma lists) prints one line of JSON.
The weights are random, seeded, and the same in every program, as are images and targets: so is
first_loss, the mean distance before the first step, up to the precision. Needs torch and timm, or
jax for `jax` alone, and jax_networks.py and random_weights.py beside it.

Programs:
  torch-eager           timm's model, torch.autograd.grad
  torch-compile         torch.compile of the whole step as one graph (gradient by torch.func.grad)
  torch-compile-split   torch.compile of images → distances, and of the update; backward called between
  jax                   jax.jit of the whole step, image buffer donated
Precisions:
  float32    no TF32 anywhere
  tf32       matrix products and convolutions may use TF32
  bfloat16   the network's weights and activations; image, loss, gradient's norm and update in float32
"""
import argparse
import functools
import gc
import importlib.metadata
import itertools
import json
import os
import platform
import statistics
import sys
import time

import numpy as np

import jax_networks
from random_weights import random_weights

SIZE, WARM_UP, STEP_SIZE = 224, 5, 1.0
MEAN, STD = np.float32([.485, .456, .406]), np.float32([.229, .224, .225])
DEPTHS = (3, 4, 6, 3)  # ResNet-50
BLOCKS, WIDTH, HEADS, PATCH = 12, 768, 12, 16  # ViT-B/16
PROGRAMS = ["torch-eager", "torch-compile", "torch-compile-split", "jax"]
PRECISIONS = ["float32", "tf32", "bfloat16"]


# Weights, by timm's names and in PyTorch's layouts.

def resnet50_shapes():
    shapes = {"conv1.weight": (64, 3, 7, 7)}
    norms = {"bn1": 64}
    channels = 64
    for layer, depth in enumerate(DEPTHS, 1):
        c = 32 << layer
        for b in range(depth):
            p = f"layer{layer}.{b}."
            shapes |= {p + "conv1.weight": (c, channels, 1, 1), p + "conv2.weight": (c, c, 3, 3), p + "conv3.weight": (4 * c, c, 1, 1)}
            norms |= {p + "bn1": c, p + "bn2": c, p + "bn3": 4 * c}
            if b == 0:
                shapes[p + "downsample.0.weight"] = (4 * c, channels, 1, 1)
                norms[p + "downsample.1"] = 4 * c
            channels = 4 * c
    for p, c in norms.items():
        shapes |= {f"{p}.{k}": (c,) for k in ("weight", "bias", "running_mean", "running_var")}
    return shapes | {"fc.weight": (1000, channels), "fc.bias": (1000,)}


def vit_shapes():
    linear = {"patch_embed.proj": (WIDTH, 3, PATCH, PATCH)}
    norms = ["norm"]
    for i in range(BLOCKS):
        p = f"blocks.{i}."
        linear |= {p + "attn.qkv": (3 * WIDTH, WIDTH), p + "attn.proj": (WIDTH, WIDTH), p + "mlp.fc1": (4 * WIDTH, WIDTH), p + "mlp.fc2": (WIDTH, 4 * WIDTH)}
        norms += [p + "norm1", p + "norm2"]
    linear["head"] = (1000, WIDTH)
    shapes = {"cls_token": (1, 1, WIDTH), "pos_embed": (1, 1 + (SIZE // PATCH) ** 2, WIDTH)}
    for p, shape in linear.items():
        shapes |= {p + ".weight": shape, p + ".bias": shape[:1]}
    for p in norms:
        shapes |= {p + ".weight": (WIDTH,), p + ".bias": (WIDTH,)}
    return shapes


SHAPES = {"resnet50": resnet50_shapes, "vit_base_patch16_224": vit_shapes}


@functools.lru_cache(1)
def weights(name):
    return random_weights(SHAPES[name]())


@functools.lru_cache(1)
def inputs(batch):
    """Reference images and start, [B,224,224,3] in [0,1]."""
    rng, shape = np.random.default_rng(2), (batch, SIZE, SIZE, 3)
    references, start = rng.random(shape, np.float32), rng.standard_normal(shape, np.float32)
    return references, (.5 + .05 * start).clip(0, 1)


def is_parameter(k):
    return ".running_" not in k and not k.endswith("num_batches_tracked")


# PyTorch

class Torch:
    """Images are [B,3,224,224], stored as [B,224,224,3] where channels_last."""

    def __init__(self, a, program, name, precision):
        import timm
        import torch
        self.torch, self.a, self.device = torch, a, torch.device("cuda" if a.device == "gpu" else "cpu")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = not a.no_cudnn_benchmark
        torch.compiler.reset()
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        last = a.layout == "channels_last" or a.layout == "auto" and name == "resnet50" and precision == "bfloat16"
        self.format = torch.channels_last if last else torch.contiguous_format
        model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
        missing, unexpected = model.load_state_dict({k: torch.from_numpy(v) for k, v in weights(name).items()}, strict=False)
        if unexpected or any(map(is_parameter, missing)):
            raise RuntimeError(f"timm's {name} has other weights: {missing} {unexpected}")
        self.model = model.to(self.device, self.dtype, memory_format=self.format)
        self.mean, self.std = (torch.from_numpy(v).view(1, 3, 1, 1).to(self.device) for v in (MEAN, STD))
        self.about = {"layout": "channels_last" if last else "nchw", "cudnn_benchmark": torch.backends.cudnn.benchmark}
        if program == "torch-compile":
            self.step = torch.compile(self.functional, fullgraph=True, dynamic=False, mode=a.compile_mode)
        elif program == "torch-compile-split":
            compiled = functools.partial(torch.compile, fullgraph=True, dynamic=False, mode=a.compile_mode)
            self.step = functools.partial(self.eager, compiled(self.distances), compiled(self.update))
        else:
            self.step = functools.partial(self.eager, self.distances, self.update)
        if program != "torch-eager":
            self.about["compile_mode"] = a.compile_mode

    def images(self, x):
        return self.torch.from_numpy(x).permute(0, 3, 1, 2).to(self.device).contiguous(memory_format=self.format)

    def late(self, x):
        """pre_logits is ResNet's global average pooling, and ViT's class token after the last norm."""
        x = ((x - self.mean) / self.std).to(self.dtype)
        return self.model.forward_head(self.model.forward_features(x), pre_logits=True).float()

    def aim(self, references):
        with self.torch.no_grad():
            self.target = self.late(self.images(references))
            self.target_norm = self.torch.linalg.vector_norm(self.target, dim=1)

    def distances(self, x):
        return self.torch.linalg.vector_norm(self.late(x) - self.target, dim=1) / self.target_norm

    def update(self, x, g):
        norm = self.torch.linalg.vector_norm(g, dim=(1, 2, 3), keepdim=True)
        return (x - STEP_SIZE * g / (norm + 1e-10)).clamp(0, 1)

    def eager(self, distances, update, x):
        x = x.detach().requires_grad_()
        d = distances(x)
        g, = self.torch.autograd.grad(d.sum(), x)
        with self.torch.no_grad():
            return update(x.detach(), g), d.detach()

    def functional(self, x):
        def loss(x):
            d = self.distances(x)
            return d.sum(), d

        g, d = self.torch.func.grad(loss, has_aux=True)(x)
        return self.update(x, g), d

    def wait(self, x):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()

    def numpy(self, x):
        x = x.cpu()
        return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()


# JAX

NETWORKS = {"resnet50": functools.partial(jax_networks.resnet, depths=DEPTHS), "vit_base_patch16_224": functools.partial(jax_networks.vit, heads=HEADS)}


class Jax:
    def __init__(self, a, program, name, precision):
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        if a.device == "cpu":
            os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax
        self.jax, self.about = jax, {"layout": "nhwc"}
        if jax.devices()[0].platform != a.device:
            raise RuntimeError(f"JAX is on {jax.devices()[0].platform}")
        jax.clear_caches()
        dtype = jax.numpy.bfloat16 if precision == "bfloat16" else np.float32
        ops, network = jax_networks.Ops(jax, precision), NETWORKS[name]
        self.w = {k: jax.numpy.asarray(v, dtype) for k, v in jax_networks.arrange(weights(name)).items()}
        self.images = jax.numpy.array
        self.late = lambda w, x: network(ops, w, ((x - MEAN) / STD).astype(dtype))
        self.jitted = jax.jit(self.whole, donate_argnums=0)

    def aim(self, references):
        self.target = self.jax.block_until_ready(self.jax.jit(self.late)(self.w, self.images(references)))

    def whole(self, x, w, target):
        norm = self.jax.numpy.linalg.norm

        def loss(x):
            d = norm(self.late(w, x) - target, axis=1) / norm(target, axis=1)
            return d.sum(), d

        g, d = self.jax.grad(loss, has_aux=True)(x)
        g = g / (self.jax.numpy.sqrt((g * g).sum((1, 2, 3), keepdims=True)) + 1e-10)
        return self.jax.numpy.clip(x - STEP_SIZE * g, 0, 1), d

    def step(self, x):
        return self.jitted(x, self.w, self.target)

    def wait(self, x):
        x.block_until_ready()

    def numpy(self, x):
        return np.asarray(x)


# Measurement

def prepare(a, program, name, precision, batch):
    peer = (Jax if program == "jax" else Torch)(a, program, name, precision)
    references, start = inputs(batch)
    peer.aim(references)
    x = peer.images(start)
    peer.wait(x)
    return peer, x


def measure(a, program, name, precision, batch):
    peer, x = prepare(a, program, name, precision, batch)
    began = time.perf_counter()
    x, d = peer.step(x)
    peer.wait(x)
    compile_s = time.perf_counter() - began
    first_loss = float(peer.numpy(d).mean())
    for _ in range(WARM_UP):
        x, d = peer.step(x)
    peer.wait(x)
    rounds = []
    for _ in range(a.rounds):
        began = time.perf_counter()
        for _ in range(a.steps):
            x, d = peer.step(x)
        peer.wait(x)
        rounds.append((time.perf_counter() - began) / a.steps * 1000)
    if not (np.isfinite(peer.numpy(x)).all() and np.isfinite(peer.numpy(d)).all()):
        raise RuntimeError("a loss or a pixel is not finite")
    ms = statistics.median(rounds)
    return {"compile_s": round(compile_s, 3), "ms_per_step_median": round(ms, 4), "images_per_s": round(batch / ms * 1000, 2), "rounds_ms": [round(r, 4) for r in rounds], "first_loss": first_loss, "steps": a.steps} | peer.about


def serve(a, program, name, precision, batch):
    """Answers "run N" with the seconds of N steps, once it has said that it is ready (../process.py)."""
    peer, x = prepare(a, program, name, precision, batch)
    began = time.perf_counter()
    for _ in range(WARM_UP):
        x, d = peer.step(x)
    peer.wait(x)
    about = {"first_s": round(time.perf_counter() - began, 1), "device": device(a, program)} | versions(program) | peer.about
    print("ready", json.dumps(about), flush=True)
    for command in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(command.removeprefix("run "))):
            x, d = peer.step(x)
        peer.wait(x)
        took = time.perf_counter() - began
        if not (np.isfinite(peer.numpy(x)).all() and np.isfinite(peer.numpy(d)).all()):
            raise RuntimeError("a loss or a pixel is not finite")
        print(took, flush=True)


def check(a, name, batch):
    """Parameter counts, and loss and change of the image after one step in float32: JAX against timm.

    The random ResNet's gradient differs by some 1e-3 (ReLUs flipped by rounding); in float64 it was 1e-14.
    """
    a = argparse.Namespace(**vars(a) | {"layout": "nchw"})
    counts, results = {}, {}
    for program in ("torch-eager", "jax"):
        peer, x = prepare(a, program, name, "float32", batch)
        start = inputs(batch)[1]
        x, d = peer.step(x)
        results[program] = peer.numpy(d), peer.numpy(x) - start
        if program == "jax":
            counts[program] = sum(v.size for v in peer.w.values())
        else:
            counts["timm"] = sum(p.numel() for p in peer.model.parameters())
    (d, moved), (e, jax_moved) = results.values()
    out = {"parameters": counts, "loss_error": float(np.abs(e / d - 1).max()), "step_error": float(np.linalg.norm(jax_moved - moved) / np.linalg.norm(moved))}
    if counts["timm"] != counts["jax"] or not out["loss_error"] < 1e-3 or not out["step_error"] < 1e-2:
        out["error"] = "JAX's network is not timm's"
    return out


def versions(program):
    out = {"python": platform.python_version()}
    for p in ("jax", "jaxlib", "numpy") if program == "jax" else ("torch", "timm"):
        out[p] = importlib.metadata.version(p)
    return out


def device(a, program):
    if a.device == "cpu":
        return "cpu"
    if program == "jax":
        import jax
        return jax.devices()[0].device_kind
    import torch
    return torch.cuda.get_device_name()


def line(a, program, name, precision, batch):
    """Does one combination and prints its line; whether there was no error."""
    out = {"program": program, "model": name, "batch": batch, "precision": precision}
    try:
        out |= check(a, name, batch) if program == "check" else measure(a, program, name, precision, batch)
        if program != "check":
            out |= {"versions": versions(program), "device": device(a, program)}
    except Exception as e:
        out["error"] = f"{type(e).__name__}: {e}"[:2000]
    print(json.dumps(out), flush=True)
    gc.collect()  # after the exception, whose frames hold memory of the GPU
    if torch := sys.modules.get("torch"):
        torch.compiler.reset()
        torch.cuda.empty_cache()
    return "error" not in out


def one_of(choices):
    def parse(s):
        parts = s.split(",")
        if unknown := [p for p in parts if p not in choices]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(choices)}")
        return parts
    return parse


def positive(s):
    if int(s) < 1:
        raise ValueError
    return int(s)


def main():
    f = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    f.add_argument("--program", type=one_of(PROGRAMS), default=PROGRAMS)
    f.add_argument("--model", type=one_of(list(SHAPES)), default=list(SHAPES))
    f.add_argument("--precision", type=one_of(PRECISIONS), default=PRECISIONS)
    f.add_argument("--batch", type=lambda s: [positive(b) for b in s.split(",")], default=[32])
    f.add_argument("--steps", type=positive, default=30, help="steps of a round")
    f.add_argument("--rounds", type=positive, default=5)
    f.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    f.add_argument("--layout", choices=["auto", "nchw", "channels_last"], default="auto", help="PyTorch's; auto is channels_last for resnet50 in bfloat16")
    f.add_argument("--compile-mode", default="default", help="torch.compile's mode")
    f.add_argument("--no-cudnn-benchmark", action="store_true", help="PyTorch does not try cuDNN's algorithms (XLA always does)")
    f.add_argument("--check", action="store_true", help="hold JAX's networks against timm's and stop")
    f.add_argument("--serve", action="store_true", help="answer \"run N\" for one combination, as bench/gpu.py asks")
    a = f.parse_args()
    if a.serve:
        return serve(a, a.program[0], a.model[0], a.precision[0], a.batch[0])
    programs, precisions = (["check"], ["float32"]) if a.check else (a.program, a.precision)
    results = [line(a, *c) for c in itertools.product(programs, a.model, precisions, a.batch)]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
