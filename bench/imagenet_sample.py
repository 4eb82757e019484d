#!/usr/bin/env python3
"""Selects the photographs of bench/imagenet-sample.yaml, and prints its results as a table.

    bench/imagenet_sample.py select ../shared/data/imagenet-sample sample48   # a folder of links
    metamers reproduce --scale bench/imagenet-sample.yaml --out sample
    bench/imagenet_sample.py                                                  # reads docs/imagenet/sample

An image passes if it passes for every member. Shares of images have Wilson's interval, recognition by
networks outside the set a bootstrap interval over images (10,000 samples), both of 95 %.
"""

import csv
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

COUNT, PAIRS = 48, 2016  # photographs, and pairs of the null distribution
FOLDER = Path(__file__).resolve().parent.parent / "docs/imagenet/sample"
rng = np.random.default_rng(0)


def select(source, folder):
    """Links every tenth of the 500 photographs, roughly, and writes their labels."""
    source, folder = Path(source).resolve(), Path(folder)
    head, *lines = (source / "labels.tsv").read_text().splitlines()
    lines = [lines[int((i + 0.5) * len(lines) / COUNT)] for i in range(COUNT)]
    folder.mkdir(parents=True)
    (folder / "labels.tsv").write_text("\n".join([head, *lines]) + "\n")
    for line in lines:
        name = line.split("\t")[0]
        (folder / name).symlink_to(source / name)


def wilson(k, n, z=1.959964):
    """Returns a share and its interval."""
    middle, half = k / n + z * z / 2 / n, z * np.sqrt(k / n * (1 - k / n) / n + z * z / 4 / n / n)
    return k / n, (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def table():
    others, what = defaultdict(lambda: defaultdict(list)), {}
    with gzip.open(FOLDER / "rows.csv.gz", "rt") as f:
        for r in csv.DictReader(f):
            if r["measure"] == "recognizability" and r["member"] == "false" and r["run"] and int(r["image"]) >= 0:
                others[r["run"]][int(r["image"])].append(float(r["value"]))
                what[r["run"]] = r["set"].replace("+", ", "), r["stage"]
    print("| set | stage | above every null pair | pass | relative L2 of each member | recognized by others |")
    print("|---|---|---:|---|---|---|")
    for run in sorted(what, key=what.get):
        loss, passes, above = defaultdict(list), defaultdict(lambda: True), defaultdict(lambda: True)
        with gzip.open(FOLDER / f"match-{run}.json.gz", "rt") as f:
            for e in json.load(f)["evidence"]:
                loss[e["member"]].append(e["loss"])
                passes[e["image"]] &= e["verdict"] == "pass"
                above[e["image"]] &= max(e["pPearson"], e["pSpearman"], e["pSNR"]) < 1.5 / (PAIRS + 1)
        seen = [np.mean(v) for v in others[run].values()]
        low, high = np.quantile([np.mean(rng.choice(seen, len(seen))) for _ in range(10000)], [0.025, 0.975])
        n = len(passes)
        print(f"| {what[run][0]} | {what[run][1]} | {sum(above.values())} of {n} | %.2f (%.2f to %.2f) | " % wilson(sum(passes.values()), n)
              + ", ".join(f"{np.mean(v):.2g}" for v in loss.values()) + f" | {np.mean(seen):.2f} ({low:.2f} to {high:.2f}) |")


if sys.argv[1:2] == ["select"]:
    select(*sys.argv[2:])
else:
    table()
