#!/usr/bin/env python3
"""Compares the default optimiser with the paper's procedure on photographs at 224², as a table.

    bench/imagenet_paper.py            # reads rows and match statistics from docs/imagenet

Each run by pgd in docs/imagenet/paper is compared with the other runs of its set and stage there
(500 evaluations) and in the plan imagenet (400 evaluations), on the same photographs. The ratio of
relative L2 is a geometric mean over members and images. It and the difference in recognition by
networks outside the set have bootstrap intervals over images (10,000 samples).
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
    """Returns {run: {image: [0 or 1 of each network outside the set]}} and {run: (set, stage, optimizer, steps)}."""
    seen, what = defaultdict(lambda: defaultdict(list)), {}
    with gzip.open(path, "rt") as f:
        for r in csv.DictReader(f):
            if r["measure"] != "recognizability" or r["member"] != "false" or not r["run"] or int(r["image"]) < 0:
                continue
            what[r["run"]] = (r["set"], r["stage"], r["optimizer"], r["steps"])
            seen[r["run"]][int(r["image"])].append(float(r["value"]))
    return seen, what


def statistics(path):
    """Returns {image: {member: relative L2}} and {image: whether it passes for all members}."""
    loss, passes = defaultdict(dict), defaultdict(lambda: True)
    with gzip.open(path, "rt") as f:
        for e in json.load(f)["evidence"]:
            loss[e["image"]][e["member"]] = e["loss"]
            passes[e["image"]] &= e["verdict"] == "pass"
    return loss, passes


def interval(values):
    """Returns the mean of the values and its 95 % interval."""
    samples = [np.mean(rng.choice(values, len(values))) for _ in range(10000)]
    return np.mean(values), *np.quantile(samples, [0.025, 0.975])


def line(path, what, run, images, paper=None):
    """Prints the row of a run; paper has relative L2 and recognition of the paper's run, for a run of the default."""
    loss, passes = statistics(path)
    members = list(loss[0])
    out = [what[0].replace("+", ", "), what[1], f"{what[2]}, {what[3]}", f"{sum(passes[i] for i in images)} of {len(images)}",
           ", ".join(f"{np.mean([loss[i][m] for i in images]):.2g}" for m in members)]
    if paper:
        logs = [np.mean([np.log(loss[i][m] / paper[0][i][m]) for m in members]) for i in images]
        ratio = [np.exp(x) for x in interval(logs)]
        out.append(("%.2f (%.2f to %.2f)" if ratio[1] > 0.1 else "%.1g (%.1g to %.1g)") % tuple(ratio))
        out.append("%+.2f (%+.2f to %+.2f)" % interval([np.mean(run[i]) - np.mean(paper[1][i]) for i in images]))
    else:
        out += ["1", "%.2f" % np.mean([np.mean(run[i]) for i in images])]
    print("| " + " | ".join(out) + " |")


def main():
    recognized, runs = rows(FOLDER / "rows.csv.gz")
    path = {run: FOLDER / f"match-{run}.json.gz" for run in runs}
    for known, new in zip((recognized, runs), rows(FOLDER / "paper/rows.csv.gz")):
        known.update(new)
    path.update((run, FOLDER / f"paper/match-{run}.json.gz") for run in new)
    print("| set | stage | optimiser, evaluations | pass | relative L2 of each member | ratio to pgd's | recognized by others (default: difference) |")
    print("|---|---|---|---:|---|---|---|")
    for pgd, (models, stage, optimizer, _) in sorted(runs.items(), key=lambda x: (x[1][1], x[1][0])):
        if optimizer != "pgd":
            continue
        images = sorted(recognized[pgd])
        line(path[pgd], runs[pgd], recognized[pgd], images)
        paper = statistics(path[pgd])[0], recognized[pgd]
        for run in sorted((r for r in runs if r != pgd and runs[r][:2] == (models, stage)), key=lambda r: int(runs[r][3])):
            line(path[run], runs[run], recognized[run], images, paper)


if __name__ == "__main__":
    main()
