"""Recomputes the numbers of a study outside, with NumPy and SciPy.

usage: recompute.py RESULTS [--program bin/metamers] [--sample 20 | --all] [--seed 0]
       recompute.py RESULTS --timm ...      (networks too, by timm, where it has them)
    PY -m pip install numpy==2.4.6 scipy==1.17.1            (and torch, timm for --timm)

RESULTS is the folder that `metamers reproduce` wrote: study.json and rows.csv. Of a
number of runs and observers, drawn at random, recognizability, match statistics, Jensen-Shannon
divergence, RSA and CKA are computed again from the metamers as they were saved: their
activations by the program (`metamers activations --run`) or, with --timm, by PyTorch;
everything behind them here. Every value must agree with its row within 1e-3 (relative
above 1), or the exit status is 1. Nothing here shares code with the Go side.
"""
import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

BINS = 20
KINDS = {
    "pearson": np.corrcoef,
    "cosine": lambda a: (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (a / np.linalg.norm(a, axis=1, keepdims=True)).T,
    "spearman": lambda a: np.corrcoef(stats.rankdata(a, axis=1)),
}


def measures(x, y, want, got):
    """Activations [N,D] of references and metamers, and their logits, or None → measure → value."""
    v = {}
    if want is not None:
        v["recognizability"] = np.mean(want.argmax(1) == got.argmax(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        v["match/relative-l2"] = np.mean(np.linalg.norm(y - x, axis=1) / np.linalg.norm(x, axis=1))
        v["match/snr"] = np.mean(10 * np.log10((x**2).sum(1) / ((x - y) ** 2).sum(1)))
        v["match/pearson"] = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(x, y)])
        v["match/spearman"] = np.mean([np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1] for a, b in zip(x, y)])
        pairs = np.triu_indices(len(x), 1)
        for kind, similarity in KINDS.items():
            p, q = similarity(x)[pairs], similarity(y)[pairs]
            if not (np.isfinite(p).all() and np.isfinite(q).all()):
                continue
            edges = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), BINS + 1)
            v["jsd/" + kind] = jensenshannon(np.histogram(p, edges)[0], np.histogram(q, edges)[0], base=2) ** 2
            v["rsa/" + kind] = np.corrcoef(p, q)[0, 1]
        xc, yc = x - x.mean(0), y - y.mean(0)
        k, l = xc @ xc.T, yc @ yc.T
        v["cka"] = (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())
    return {m: float(f) for m, f in v.items() if np.isfinite(f)}


def activations(program, run, observer, stage, store):
    """What the program says of a run's metamers and references: arrays by name."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "a.npz")
        command = [program, "activations", "--model", observer, "--stage", ",".join(dict.fromkeys([stage, "logits"])), "--run", run, "--out", out]
        done = subprocess.run(command + (["--store", store] if store else []), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"recompute.py: {' '.join(command)}:\n{done.stderr}")
        return dict(np.load(out))


def by_timm(arrays, observer, layer):
    """The same arrays, with activations and logits by timm's own model and PyTorch."""
    import timm
    import torch

    model = timm.create_model(observer, pretrained=True).eval()
    data = timm.data.resolve_model_data_config(model)
    mean, std = (torch.tensor(data[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    size = data["input_size"][-1]
    if arrays["images"].shape[1] != size:
        sys.exit(f"recompute.py: --timm takes images of the model's own size, {size} for {observer}, these have {arrays['images'].shape[1]}")
    out, seen = dict(arrays), {}
    model.get_submodule(layer).register_forward_hook(lambda _m, _i, o: seen.update(a=o))
    for name, pixels in (("", arrays["images"]), ("reference.", arrays["references"])):
        acts, logits = [], []
        with torch.no_grad():
            for image in pixels:
                x = (torch.from_numpy(image).permute(2, 0, 1)[None] - mean) / std
                logits.append(model(x)[0].numpy())
                acts.append(seen["a"].flatten().numpy())
        out[name + "stage"], out[name + "logits"] = np.stack(acts), np.stack(logits)
    return out


def layer_of(program, observer, stage):
    shown = json.loads(subprocess.run([program, "--json", "models", "show", observer], capture_output=True, text=True, check=True).stdout)
    card = shown.get("Card", shown)
    return card["stages"][stage]["layer"] if stage in card["stages"] else stage


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("results")
    a.add_argument("--program", default=os.path.join(os.path.dirname(__file__), "..", "bin", "metamers"))
    a.add_argument("--store", help="folder of the runs, where it is not the default one")
    a.add_argument("--sample", type=int, default=20, help="pairs of a run and an observer")
    a.add_argument("--all", action="store_true")
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--timm", action="store_true", help="activations by timm, of observers that it has")
    a = a.parse_args()
    csv.field_size_limit(1 << 30)
    theirs, about = {}, {}
    with open(os.path.join(a.results, "rows.csv"), newline="") as f:
        for r in csv.DictReader(f):
            if r["run"] and r["image"] == "-1" and r["observer"] not in ("", "members", "non-members") and r["value"] != "NaN":
                key = r["run"], r["observer"]
                theirs.setdefault(key, {})[r["measure"]] = float(r["value"])
                about[key] = r["set"], r["stage"]
    pairs = sorted(theirs)
    if not pairs:
        sys.exit(f"recompute.py: {a.results}/rows.csv has no rows by observers")
    if not a.all:
        random.Random(a.seed).shuffle(pairs)
        pairs = pairs[: a.sample]
    worst, count = 0.0, 0
    for run, observer in pairs:
        members, stage = about[run, observer]
        arrays = activations(a.program, run, observer, stage, a.store)
        how = "activations by the program"
        arrays["stage"], arrays["reference.stage"] = arrays[stage], arrays["reference." + stage]
        if a.timm:
            import timm

            if timm.is_model(observer) or timm.is_model(observer.split(".")[0]):
                arrays, how = by_timm(arrays, observer, layer_of(a.program, observer, stage)), "activations by timm"
        flat = lambda v: v.reshape(len(v), -1).astype(np.float64)
        ours = measures(flat(arrays["reference.stage"]), flat(arrays["stage"]), arrays.get("reference.logits"), arrays.get("logits"))
        off = {m: abs(v - theirs[run, observer][m]) / max(1, abs(v)) for m, v in ours.items() if m in theirs[run, observer]}
        if not off:
            sys.exit(f"recompute.py: run {run} by {observer} has rows of none of {', '.join(ours)}")
        measure = max(off, key=off.get)
        worst, count = max(worst, off[measure]), count + len(off)
        print(f"{members} at {stage} by {observer}: {len(off)} values, {how}, largest difference {off[measure]:.1e} ({measure})", flush=True)
    print(f"{count} values of {len(pairs)} runs by observers, largest difference {worst:.1e} (relative above 1)")
    sys.exit(0 if worst <= 1e-3 else 1)


if __name__ == "__main__":
    main()
