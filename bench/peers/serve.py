"""What the peers share: their flags, their inputs, and the protocol of bench/compare.py.

A peer prints "ready ..." once and then answers each line of standard input with one line:
  run N   seconds that N steps took; the schedule of step sizes spans the N steps
  losses  of that run, before each step, the mean over the images, as JSON
  mem     peak resident memory in MiB
  check   with --golden: takes one step of size 1 and answers its relative errors, of the loss
          and of the change of the image (L2), against the golden loss and gradient, as JSON.
          One step, because PGD is chaotic: after three, PyTorch differs from itself.
"""
import argparse
import contextlib
import json
import lzma
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

HALVINGS = 8
DEPTHS = {"resnet20": 20, "resnet56": 56}
MEAN, STD = np.float32([.485, .456, .406]), np.float32([.229, .224, .225])


def flags():
    a = argparse.ArgumentParser()
    a.add_argument("--model", default="resnet20", help="resnet20, resnet56, or timm's name of a network at 224²")
    a.add_argument("--stage", choices=["early", "middle", "late"], default="late")
    a.add_argument("--batch", type=int, default=8)
    a.add_argument("--threads", type=int, required=True)
    a.add_argument("--weights", required=True, help=".npz written by prepare.py")
    a.add_argument("--data", required=True, help="folder with CIFAR-10")
    a.add_argument("--start", required=True, help="testdata/golden/pgd_start.safetensors")
    a.add_argument("--golden", help="take reference images and start from this file of testdata/golden")
    a.add_argument("--images", help="folder of PNGs, for a network at 224²")
    a.add_argument("--step-size", type=float, default=1, help="of pgd's first steps")
    a.add_argument("--channels-last", action="store_true", help="PyTorch: that layout of images and kernels")
    a.add_argument("--bfloat16", action="store_true", help="PyTorch: autocast to bfloat16")
    a.add_argument("--compile", action="store_true", help="PyTorch: torch.compile")
    a.add_argument("--scan", action="store_true", help="JAX: all steps of a run in one executable")
    return a.parse_args()


def references(a):
    """The golden images, or the first a.batch CIFAR-10 test images, or those of the folder a.images: [B,H,W,3] in [0,1]."""
    if a.golden:
        return load_file(a.golden)["images"]
    if a.model not in DEPTHS:
        return np.stack([np.asarray(Image.open(f), np.float32) / 255 for f in sorted(Path(a.images).iterdir())])
    n, data = a.batch, a.data
    for rel, opener in (("cifar-10-batches-bin/test_batch.bin", open), ("cifar10/test_batch.bin.xz", lzma.open)):
        path = Path(data, rel)
        if path.exists():
            with opener(path, "rb") as f:
                raw = f.read(n * 3073)
            planes = np.frombuffer(raw, np.uint8).reshape(n, 3073)[:, 1:].reshape(n, 3, 32, 32)
            return (planes.transpose(0, 2, 3, 1) / np.float32(255)).astype(np.float32)
    raise SystemExit(f"peers: no CIFAR-10 test batch in {data}")


def starts(a):
    """The initial images that go with references(a); those of pgd_start repeat as needed."""
    if a.golden:
        return load_file(a.golden)["start"]
    if a.model not in DEPTHS:
        return noise(a.batch, 224)[1]
    start = load_file(a.start)["start"]
    return start[np.arange(a.batch) % len(start)]


def noise(n, side):
    """Reference images, uniform, and a start, N(0.5, 0.05): [n,side,side,3] in [0,1]."""
    rng, shape = np.random.default_rng(2), (n, side, side, 3)
    return rng.random(shape, np.float32), (.5 + .05 * rng.standard_normal(shape, np.float32)).clip(0, 1)


@contextlib.contextmanager
def quiet():
    """Standard output belongs to the protocol: what a library prints goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def sizes(steps):
    """Step size of each step: 1.0, halved at HALVINGS equal intervals."""
    return np.float32([2.0 ** -(i * HALVINGS // steps) for i in range(steps)])


def check(a, run, start):
    golden = load_file(a.golden)
    images, losses = run(start, np.ones(1, np.float32))
    g, want = golden["gradient." + a.stage], golden["loss." + a.stage]
    norm = lambda x: np.sqrt((x**2).sum((1, 2, 3), keepdims=True))
    moved = (start - g / (norm(g) + 1e-10)).clip(0, 1) - start
    return {"loss": float(np.abs(losses[0] / want - 1).max()), "step": float((norm(images - start - moved) / norm(moved)).max())}


def serve(a, run, versions):
    """Answers standard input. run(start [B,H,W,3], sizes [N]) returns (images [B,H,W,3], losses [N,B]) as numpy arrays."""
    start = starts(a)
    print("ready", "Python", platform.python_version(), versions, flush=True)
    for line in sys.stdin:
        command = line.split()
        if command[0] == "run":
            began = time.perf_counter()
            images, losses = run(start, a.step_size * sizes(int(command[1])))
            took = time.perf_counter() - began
            if not (np.isfinite(losses).all() and np.isfinite(images).all()):
                raise SystemExit("peers: a loss or a pixel is not finite")
            print(took, flush=True)
        elif command[0] == "losses":
            print(json.dumps(losses.mean(1).tolist()), flush=True)
        elif command[0] == "mem":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        elif command[0] == "check":
            print(json.dumps(check(a, run, start)), flush=True)
        else:
            raise SystemExit(f"peers: unknown command {line!r}")
