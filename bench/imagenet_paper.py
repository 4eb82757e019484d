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


def rows(path, measures=("recognizability",)):
    """Returns {measure: {run: {observer: (whether it is a member, {image: value})}}} and {run: (set, stage, optimizer, steps)}."""
    seen, what = {m: defaultdict(dict) for m in measures}, {}
    with gzip.open(path, "rt") as f:
        for r in csv.DictReader(f):
            if r["measure"] not in measures or not r["run"] or int(r["image"]) < 0:
                continue
            what[r["run"]] = (r["set"], r["stage"], r["optimizer"], r["steps"])
            seen[r["measure"]][r["run"]].setdefault(r["observer"], (r["member"] == "true", {}))[1][int(r["image"])] = float(r["value"])
    return seen, what


def outside(observers):
    """Returns {image: the values of the networks outside the set}."""
    images = defaultdict(list)
    for member, values in observers.values():
        if not member:
            for image, value in values.items():
                images[image].append(value)
    return images


def statistics(path):
    """Returns {image: {member: its match statistics}}."""
    images = defaultdict(dict)
    with gzip.open(path, "rt") as f:
        for e in json.load(f)["evidence"]:
            images[e["image"]][e["member"]] = e
    return images


def interval(values):
    """Returns the mean of the values and its 95 % interval."""
    samples = [np.mean(rng.choice(values, len(values))) for _ in range(10000)]
    return np.mean(values), *np.quantile(samples, [0.025, 0.975])


def line(path, what, seen, images, paper=None):
    """Prints the row of a run; paper has statistics and recognition of the paper's run, for a run of the default."""
    matched = statistics(path)
    members = list(matched[0])
    passes = [all(e["verdict"] == "pass" for e in matched[i].values()) for i in images]
    out = [what[0].replace("+", ", "), what[1], f"{what[2]}, {what[3]}", f"{sum(passes)} of {len(images)}",
           ", ".join(f"{np.mean([matched[i][m]['loss'] for i in images]):.2g}" for m in members)]
    if paper:
        logs = [np.mean([np.log(matched[i][m]["loss"] / paper[0][i][m]["loss"]) for m in members]) for i in images]
        ratio = [np.exp(x) for x in interval(logs)]
        out.append(("%.2f (%.2f to %.2f)" if ratio[1] > 0.1 else "%.1g (%.1g to %.1g)") % tuple(ratio))
        out.append("%+.2f (%+.2f to %+.2f)" % interval([np.mean(seen[i]) - np.mean(paper[1][i]) for i in images]))
    else:
        out += ["1", "%.2f" % np.mean([np.mean(seen[i]) for i in images])]
    print("| " + " | ".join(out) + " |")


def main():
    recognized, runs, path = {}, {}, {}
    for folder in (FOLDER, FOLDER / "paper"):
        seen, what = rows(folder / "rows.csv.gz")
        runs.update(what)
        for run in what:
            recognized[run], path[run] = outside(seen["recognizability"][run]), folder / f"match-{run}.json.gz"
    print("| set | stage | optimiser, evaluations | pass | relative L2 of each member | ratio to pgd's | recognized by others (default: difference) |")
    print("|---|---|---|---:|---|---|---|")
    for pgd, (models, stage, optimizer, _) in sorted(runs.items(), key=lambda x: (x[1][1], x[1][0])):
        if optimizer != "pgd":
            continue
        images = sorted(recognized[pgd])
        line(path[pgd], runs[pgd], recognized[pgd], images)
        paper = statistics(path[pgd]), recognized[pgd]
        for run in sorted((r for r in runs if r != pgd and runs[r][:2] == (models, stage)), key=lambda r: int(runs[r][3])):
            line(path[run], runs[run], recognized[run], images, paper)


if __name__ == "__main__":
    main()
