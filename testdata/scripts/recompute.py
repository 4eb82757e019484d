"""Recognizability and similarity measures computed outside, with PyTorch and NumPy.

usage: recompute.py --weights DIR --cifar cifar-10-batches-bin --rows ROWS.csv RUN…
       recompute.py --weights DIR --golden testdata/golden/recompute
    PY -m pip install torch==2.11.0 numpy==2.4.6 scipy==1.17.1 safetensors==0.8.0 onnx==1.23.2

RUN is the folder of a run on CIFAR-10 test images, ROWS.csv what `metamers eval
--out` wrote of it: every row of these measures must agree within 1e-3, or the exit
status is 1. --golden writes golden.npz, synthetic references and metamers (uint8
[8,32,32,3]), and golden.json, their measures by all five networks at all stages.
Nothing here shares code with the Go side.
"""
import argparse
import csv
import json
import os
import re

import numpy as np
import torch
from safetensors.numpy import load_file
from scipy import stats
from scipy.spatial.distance import jensenshannon

import nets

BINS = 20


def measures(name, stage, ref, met, labels, weights):
    """Pixels [N,H,W,3] in [0,1] → measure → value."""
    net, stages = nets.load(name, weights)
    layer = stages[stage]
    acts = []
    for pixels in (ref, met):
        with torch.no_grad():
            out = net(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
        acts.append((out[layer].flatten(1).double().numpy(), out["logits"].argmax(1).numpy()))
    (x, want), (y, got) = acts
    v = {"recognizability": np.mean(want == got)}
    if labels is not None:
        v["recognizability-true"] = np.mean(labels == got)
    v["match/relative-l2"] = np.mean(np.linalg.norm(y - x, axis=1) / np.linalg.norm(x, axis=1))
    v["match/pearson"] = np.mean([stats.pearsonr(a, b).statistic for a, b in zip(x, y)])
    v["match/spearman"] = np.mean([stats.spearmanr(a, b).statistic for a, b in zip(x, y)])
    v["match/snr"] = np.mean(10 * np.log10((x**2).sum(1) / ((x - y) ** 2).sum(1)))
    pairs = np.triu_indices(len(x), 1)
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
    for kind, sim in dict(pearson=np.corrcoef, cosine=lambda a: unit(a) @ unit(a).T, spearman=lambda a: np.corrcoef(stats.rankdata(a, axis=1))).items():
        p, q = sim(x)[pairs], sim(y)[pairs]
        edges = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), BINS + 1)
        v["jsd/" + kind] = jensenshannon(np.histogram(p, edges)[0], np.histogram(q, edges)[0], base=2) ** 2
        v["rsa/" + kind] = stats.pearsonr(p, q).statistic
    xc, yc = x - x.mean(0), y - y.mean(0)
    k, l = xc @ xc.T, yc @ yc.T
    v["cka"] = (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())
    return {m: float(f) for m, f in v.items()}


def golden(out, weights):
    rng = np.random.default_rng(20)
    yy, xx = np.mgrid[:32, :32] / 32
    images = []
    for _ in range(8):  # two waves and a blob a channel; the metamer blends in noise
        img = np.zeros((32, 32, 3))
        for c in range(3):
            for _ in range(2):
                fx, fy, ph = rng.uniform(-4, 4), rng.uniform(-4, 4), rng.uniform(0, 6)
                img[..., c] += np.sin(2 * np.pi * (fx * xx + fy * yy) + ph) / 4
            cx, cy, s = rng.uniform(0, 1, 3)
            img[..., c] += np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (0.02 + s / 10))
        images.append(img)
    ref = np.stack(images)
    ref = ((ref - ref.min()) / (ref.max() - ref.min()) * 255).round().astype(np.uint8)
    met = (0.6 * ref + 0.4 * rng.integers(0, 256, ref.shape)).round().astype(np.uint8)
    os.makedirs(out, exist_ok=True)
    np.savez_compressed(f"{out}/golden.npz", references=ref, metamers=met)
    to = lambda v: v.astype(np.float32) / 255
    values = {n: {s: measures(n, s, to(ref), to(met), None, weights) for s in ("early", "middle", "late")} for n in nets.NAMES}
    json.dump(values, open(f"{out}/golden.json", "w"), indent=1)


def compare(folder, rows, weights, cifar):
    recipe = json.load(open(f"{folder}/recipe.json"))
    met = load_file(f"{folder}/metamers.safetensors")["metamers"]
    m = re.fullmatch(r"cifar10(?::(?:(\d+)-)?(\d+))?", recipe["images"]["name"])
    if not m:
        raise SystemExit(f"recompute.py: {folder} is of the images {recipe['images']['name']!r}, expected cifar10 test images")
    first, last = int(m[1] or 0), int(m[2] or 10000)
    pixels, labels = nets.cifar_test(cifar)
    ref, labels = pixels[first:last].permute(0, 2, 3, 1).numpy(), labels[first:last]
    run, worst, n = os.path.basename(folder.rstrip("/")), 0, 0
    for name in nets.NAMES:
        theirs = {r["measure"]: float(r["value"]) for r in rows if r["run"] == run and r["observer"] == name and r["image"] == "-1"}
        if not theirs:
            continue
        ours = measures(name, recipe["stage"], ref, met, labels, weights)
        off = {k: abs(v - theirs[k]) / max(1, abs(v)) for k, v in ours.items() if k in theirs}
        worst, n = max(worst, max(off.values())), n + len(off)
        print(run, "+".join(x["name"] for x in recipe["models"]), recipe["stage"], "by", name,
              " ".join(f"{k} {ours[k]:.4f}/{theirs[k]:.4f}" for k in ("recognizability", "jsd/pearson") if k in off), f"largest difference of {len(off)}: {max(off.values()):.1e}", flush=True)
    return worst, n


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("runs", nargs="*")
    a.add_argument("--weights", required=True)
    a.add_argument("--cifar")
    a.add_argument("--rows")
    a.add_argument("--golden")
    a = a.parse_args()
    torch.set_num_threads(1)
    if a.golden:
        golden(a.golden, a.weights)
    if a.runs:
        rows = list(csv.DictReader(open(a.rows)))
        done = [compare(r, rows, a.weights, a.cifar) for r in a.runs]
        worst, n = max(w for w, _ in done), sum(n for _, n in done)
        print(f"{n} values, largest difference {worst:.1e} (relative above 1)")
        raise SystemExit(0 if n and worst <= 1e-3 else 1)
