#!/usr/bin/env python3
"""The default optimiser beside the paper's procedure on photographs at 224², as a table.

    bench/imagenet_paper.py            # from docs/imagenet, the rows and statistics that are there

Each run of docs/imagenet/paper is held against the run of the plan imagenet (400 evaluations) of
the same set and stage, on the photographs that both have. The ratio of relative L2 is the
geometric mean over members and images; its interval, and that of the difference of recognition by
networks that are not members, is a bootstrap over images (10,000 samples).
"""

import csv
import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "docs/imagenet"
rng = np.random.default_rng(0)


def rows(path):
    """Recognition of each image by networks outside the set: {run: {image: [0 or 1]}}, {run: (set, stage)}."""
    seen, what = defaultdict(lambda: defaultdict(list)), {}
    with gzip.open(path, "rt") as f:
        for r in csv.DictReader(f):
            if r["measure"] != "recognizability" or r["member"] != "false" or not r["run"] or int(r["image"]) < 0:
                continue
            what[r["run"]] = (r["set"], r["stage"], r["optimizer"], r["steps"])
            seen[r["run"]][int(r["image"])].append(float(r["value"]))
    return seen, what


def statistics(path):
    """Relative L2 of each image and member, and whether an image passes for all of them."""
    loss, passes = defaultdict(dict), defaultdict(lambda: True)
    with gzip.open(path, "rt") as f:
        for e in json.load(f)["evidence"]:
            loss[e["image"]][e["member"]] = e["loss"]
            passes[e["image"]] &= e["verdict"] == "pass"
    return loss, passes


def interval(values):
    samples = [np.mean(rng.choice(values, len(values))) for _ in range(10000)]
    return np.mean(values), *np.quantile(samples, [0.025, 0.975])


def line(path, what, run, images, paper=None):
    loss, passes = statistics(path)
    members = list(loss[0])
    out = [what[0].replace("+", ", "), what[1], f"{what[2]}, {what[3]}", f"{sum(passes[i] for i in images)} of {len(images)}",
           ", ".join(f"{np.mean([loss[i][m] for i in images]):.2g}" for m in members)]
    if paper:
        logs = [np.mean([np.log(loss[i][m] / paper[0][i][m]) for m in members]) for i in images]
        out.append("%.2f (%.2f to %.2f)" % tuple(np.exp(x) for x in interval(logs)))
        out.append("%+.2f (%+.2f to %+.2f)" % interval([np.mean(run[i]) - np.mean(paper[1][i]) for i in images]))
    else:
        out += ["1", "%.2f" % np.mean([np.mean(run[i]) for i in images])]
    print("| " + " | ".join(out) + " |")


plan, planned = rows(FOLDER / "rows.csv.gz")
more, made = rows(FOLDER / "paper/rows.csv.gz")
print("| set | stage | optimiser, evaluations | pass | relative L2 of each member | ratio to pgd's | recognized by others (default: difference) |")
print("|---|---|---|---:|---|---|---|")
for run, (names, stage, optimizer, steps) in sorted(made.items(), key=lambda x: (x[1][1], x[1][0])):
    if optimizer != "pgd":
        continue
    path, images = FOLDER / f"paper/match-{run}.json.gz", sorted(more[run])
    line(path, made[run], more[run], images)
    paper = statistics(path)[0], more[run]
    same = [(r, more, FOLDER / f"paper/match-{r}.json.gz") for r in made if made[r][:2] == (names, stage) and r != run]
    same += [(r, plan, FOLDER / f"match-{r}.json.gz") for r in planned if planned[r][:2] == (names, stage)]
    for r, seen, at in sorted(same, key=lambda x: int({**planned, **made}[x[0]][3])):
        line(at, {**planned, **made}[r], seen[r], images, paper)
