#!/usr/bin/env python3
"""Compares `metamers synth --against` with plenoptic's MADCompetition at equal evaluations.

usage: bench/mad.py [--images 8] [--evaluations 300] [--data FOLDER]    (an interpreter with requirements.txt)

The metric that is held is the relative L2 distance at the late stage of ResNet-20, the one that
is driven up is 1 - Pearson correlation at that of ResNet-56 (CIFAR-10). plenoptic starts at the
image with so much noise that the held metric has the level, and is run with each weight of
LAMBDAS; of those whose result keeps the level within 5 % the best counts. This project starts
like that too, from its own noise, and from noise once more with as many evaluations as
plenoptic's tries have together. All results are scored here, by PyTorch. An evaluation is one
gradient of both networks.
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
LAMBDAS = (None, 10, 100)  # None: plenoptic's own choice
# A name, whether plenoptic's start is taken, and how many of its tries' evaluations.
OURS = (("ours", True, 1), ("ours from noise", False, 1), ("ours with those of all tries", False, len(LAMBDAS)))


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


def theirs(a, image, hold, drive, noise, seed):
    """The best 1 - r of plenoptic that keeps the level, with its weight and distance."""
    best = None
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


def ours(a, folder, image, start, evaluations):
    """This project's image [1,3,32,32] in [0,1], from noise or from a start like plenoptic's."""
    folder.mkdir()
    save(image, folder / "image.png")
    more = []
    if start is not None:
        save(start, folder / "start.png")
        more = ["--start", folder / "start.png"]
    command = [a.metamers, "synth", "--models", "resnet20", "--against", "resnet56", "--stage", "late", "--images", folder / "image.png", "--size", 32,
               "--level", a.level, "--evaluations", 2 * evaluations, "--store", folder / "runs", *more]
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, METAMERS_DATA=a.data))
    run, = Path(folder, "runs").glob("*/metamers.safetensors")
    made, = load_file(run).values()
    return torch.from_numpy(made).permute(0, 3, 1, 2).contiguous()


def save(image, path):
    Image.fromarray(np.uint8(np.rint(image[0].permute(1, 2, 0).numpy() * 255))).save(path)


def main():
    a = flags()
    with tempfile.TemporaryDirectory() as scratch:
        first, second = activations(a, scratch)
        hold, drive = held(first), driven(second)
        pixels = serve.references(SimpleNamespace(golden=None, model="resnet20", batch=a.images, data=a.data))
        references = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        rows = []
        for i in range(len(references)):
            x = references[i:i + 1]
            noise = noise_at(x, hold, a.level, i)
            torch.manual_seed(i)
            near = (x + noise * torch.randn_like(x)).clamp(0, 1)
            row = {"plenoptic": theirs(a, x, hold, drive, noise, i)}
            for name, start, tries in OURS:
                y = ours(a, Path(scratch, f"{i} {name}"), x, near if start else None, tries * a.evaluations)
                with torch.no_grad():
                    row[name] = {"contrast": drive(x, y).item(), "distance": hold(x, y).item()}
            rows.append(row)
            print(i, json.dumps(row), flush=True)
    both = [r for r in rows if r["plenoptic"]]
    mean = {n: np.mean([r[n]["contrast"] for r in both]) for n in rows[0]}
    print(f"plenoptic {po.__version__} kept the level for {len(both)} of {len(rows)} images; 1 - r at ResNet-56 there: " + ", ".join(f"{n} {m:.3f}" for n, m in mean.items()))
    for name, _, _ in OURS:
        gain = np.array([r[name]["contrast"] - r["plenoptic"]["contrast"] for r in both])
        draws = np.random.default_rng(0).choice(gain, (10000, len(gain))).mean(1)
        print(f"{name} - plenoptic {gain.mean():.3f} (95 % interval {np.quantile(draws, .025):.3f} to {np.quantile(draws, .975):.3f}); largest distance at ResNet-20 {max(r[name]['distance'] for r in rows):.4f}")
    if a.json:
        Path(a.json).write_text(json.dumps({"evaluations": a.evaluations, "level": a.level, "images": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
