#!/usr/bin/env python3
"""Selects the photographs of bench/imagenet-sample.yaml, and prints its results as a table.

    bench/imagenet_sample.py select ../shared/data/imagenet-sample sample48   # a folder of links
    metamers reproduce --scale bench/imagenet-sample.yaml --out sample
    bench/imagenet_sample.py                                                  # reads docs/imagenet/sample

An image passes if it passes for every member. Shares of images have Wilson's interval, recognition by
networks outside the set a bootstrap interval over images (10,000 samples), both of 95 %.
"""

import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from imagenet_paper import interval, rows, statistics

COUNT, PAIRS = 48, 2016  # photographs, and pairs of the null distribution
FOLDER = Path(__file__).resolve().parent.parent / "docs/imagenet/sample"


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


def above(path):
    """Returns {image: whether its statistics are above every null pair for all members}."""
    out = defaultdict(lambda: True)
    with gzip.open(path, "rt") as f:
        for e in json.load(f)["evidence"]:
            out[e["image"]] &= max(e["pPearson"], e["pSpearman"], e["pSNR"]) < 1.5 / (PAIRS + 1)
    return out


def table():
    recognized, runs = rows(FOLDER / "rows.csv.gz")
    print("| set | stage | above every null pair | pass | relative L2 of each member | recognized by others |")
    print("|---|---|---:|---|---|---|")
    for run in sorted(runs, key=runs.get):
        path = FOLDER / f"match-{run}.json.gz"
        loss, passes = statistics(path)
        n = len(passes)
        print("| " + " | ".join([
            runs[run][0].replace("+", ", "), runs[run][1], f"{sum(above(path).values())} of {n}",
            "%.2f (%.2f to %.2f)" % wilson(sum(passes.values()), n),
            ", ".join(f"{np.mean([image[m] for image in loss.values()]):.2g}" for m in loss[0]),
            "%.2f (%.2f to %.2f)" % interval([np.mean(v) for v in recognized[run].values()])]) + " |")


if sys.argv[1:2] == ["select"]:
    select(*sys.argv[2:])
else:
    table()
