#!/usr/bin/env python3
"""Compares `metamers synth --against` with plenoptic's MADCompetition at equal evaluations.

usage: bench/mad.py [--images 8] [--evaluations 300] [--data FOLDER]    (an interpreter with requirements.txt)

The metric that is held is the relative L2 distance at the late stage of ResNet-20, the one that
is driven up is 1 - Pearson correlation at that of ResNet-56 (CIFAR-10). plenoptic starts at the
image with so much noise that the held metric has the level, and is run with each weight of
LAMBDAS; of those whose result keeps the level within 5 % the best counts. Both results are
scored here, by PyTorch. An evaluation is one gradient of both networks.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

os.environ["TQDM_DISABLE"] = "1"
import numpy as np
import plenoptic as po
import torch
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))
import serve
from torch_networks import network

WEIGHTS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
LAMBDAS = (None, 10, 100, 1000)  # None: plenoptic's own choice


def flags():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--images", type=int, default=8)
    a.add_argument("--evaluations", type=int, default=300)
    a.add_argument("--level", type=float, default=.1, help="of the relative L2 distance that is held")
    a.add_argument("--data", default=os.environ.get("METAMERS_DATA", str(ROOT / "../shared/data")), help="folder with CIFAR-10 and weights/")
    a.add_argument("--metamers", default=str(ROOT / "bin/metamers"), help="this project's program")
    a.add_argument("--json", help="also write every measurement there")
    return a.parse_args()


def activations(a, scratch):
    """The two networks, images [1,3,32,32] in [0,1] → [1,64]."""
    found = []
    for model, file in WEIGHTS.items():
        weights = Path(scratch, model + ".npz")
        subprocess.run([sys.executable, ROOT / "bench/peers/prepare.py", Path(a.data, "weights", file), weights], check=True)
        found.append(network(SimpleNamespace(model=model, weights=weights, stage="late", channels_last=False)))
    return found


def held(f):
    return lambda x, y: (f(x) - f(y)).norm() / f(x).norm()


def driven(f):
    return lambda x, y: 1 - torch.corrcoef(torch.cat([f(x), f(y)]))[0, 1]


def noise_at(image, metric, level, seed):
    """The standard deviation of noise at which the metric has the level."""
    low, high = 0., 1.
    for _ in range(20):
        middle = (low + high) / 2
        torch.manual_seed(seed)
        noisy = (image + middle * torch.randn_like(image)).clamp(0, 1)
        low, high = (middle, high) if metric(image, noisy) < level else (low, middle)
    return low


def theirs(a, image, hold, drive, seed):
    """The best 1 - r of plenoptic that keeps the level, with its weight and distance."""
    best = None
    noise = noise_at(image, hold, a.level, seed)
    for weight in LAMBDAS:
        torch.manual_seed(seed)
        mad = po.MADCompetition(image, drive, hold, "max", metric_tradeoff_lambda=weight)
        mad.setup(initial_noise=noise)
        mad.synthesize(max_iter=a.evaluations, stop_criterion=0)
        with torch.no_grad():
            x = mad.mad_image.clamp(0, 1)
            d, v = hold(image, x).item(), drive(image, x).item()
        if d <= 1.05 * a.level and (best is None or v > best["contrast"]):
            best = {"contrast": v, "distance": d, "weight": weight or "auto"}
    return best


def ours(a, scratch, count):
    """This project's images [N,3,32,32] in [0,1]."""
    command = [a.metamers, "synth", "--models", "resnet20", "--against", "resnet56", "--stage", "late", "--images", Path(scratch, "images"), "--size", 32,
               "--level", a.level, "--evaluations", 2 * a.evaluations, "--store", Path(scratch, "runs")]
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, METAMERS_DATA=a.data))
    run, = Path(scratch, "runs").glob("*/metamers.safetensors")
    images, = load_file(run).values()
    assert len(images) == count
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def main():
    a = flags()
    with tempfile.TemporaryDirectory() as scratch:
        first, second = activations(a, scratch)
        hold, drive = held(first), driven(second)
        pixels = serve.references(SimpleNamespace(golden=None, model="resnet20", batch=a.images, data=a.data))
        Path(scratch, "images").mkdir()
        for i, p in enumerate(pixels):
            Image.fromarray(np.uint8(np.rint(p * 255))).save(Path(scratch, "images", f"{i:03}.png"))
        references = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        made, rows = ours(a, scratch, len(references)), []
        for i in range(len(references)):
            x, y = references[i:i + 1], made[i:i + 1]
            with torch.no_grad():
                row = {"ours": {"contrast": drive(x, y).item(), "distance": hold(x, y).item()}}
            row["plenoptic"] = theirs(a, x, hold, drive, i)
            rows.append(row)
            print(i, json.dumps(row), flush=True)
    both = [r for r in rows if r["plenoptic"]]
    gain = np.array([r["ours"]["contrast"] - r["plenoptic"]["contrast"] for r in both])
    draws = np.random.default_rng(0).choice(gain, (10000, len(gain))).mean(1)
    print(f"1 - r at ResNet-56: ours {np.mean([r['ours']['contrast'] for r in both]):.3f}, plenoptic {po.__version__} {np.mean([r['plenoptic']['contrast'] for r in both]):.3f}, "
          f"difference {gain.mean():.3f} (95 % interval {np.quantile(draws, .025):.3f} to {np.quantile(draws, .975):.3f}; {len(both)} of {len(rows)} images where plenoptic kept the level)")
    print(f"largest distance at ResNet-20: ours {max(r['ours']['distance'] for r in rows):.4f}, plenoptic {max(r['plenoptic']['distance'] for r in both):.4f}")
    if a.json:
        Path(a.json).write_text(json.dumps({"evaluations": a.evaluations, "level": a.level, "images": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
