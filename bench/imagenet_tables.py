#!/usr/bin/env python3
"""Prints the tables of docs/notes/imagenet.md, and selects 48 photographs of ImageNet.

    bench/imagenet_tables.py docs/imagenet            # the 24 scenes
    bench/imagenet_tables.py docs/imagenet/sample     # the 48 photographs
    bench/imagenet_tables.py select ../shared/data/imagenet-sample sample48      # a folder of links
    metamers reproduce --scale imagenet --images sample48 --out sample

An image passes if it passes for every member. Shares of images have Wilson's interval, recognition by
networks outside the set a bootstrap interval over images (10,000 samples), both of 95 %.
"""

import sys
from pathlib import Path

import numpy as np

from imagenet_paper import interval, outside, rows, statistics

COUNT, PAIRS = 48, 2016  # photographs, and pairs of the null distribution
SHORT = {"squeezenet1_0": "SqueezeNet", "tf_efficientnet_lite0": "Lite0", "tf_efficientnet_lite1": "Lite1", "tf_efficientnet_lite2": "Lite2",
         "vit_tiny_patch16_224": "ViT-Ti", "deit_tiny_patch16_224": "DeiT-Ti"}


def short(model):
    return SHORT[model.split(".")[0]]


def number(value):
    """Returns a number with two places as the pages have it: .62, 0, 1."""
    return f"{value:.2f}".removesuffix(".00") if value in (0, 1) else f"{value:.2f}".lstrip("0")


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


def share(k, n, z=1.959964):
    """Returns k/n with Wilson's interval, as text."""
    middle, half = k / n + z * z / 2 / n, z * np.sqrt(k / n * (1 - k / n) / n + z * z / 4 / n / n)
    return between(k / n, max((middle - half) / (1 + z * z / n), 0), min((middle + half) / (1 + z * z / n), 1))


def mean(values):
    """Returns the mean of the images' values with its interval, as text."""
    if np.ptp(values) == 0 and values[0] in (0, 1):  # a bootstrap sees no spread
        return share(int(sum(values)), len(values))
    return between(*interval(values))


def between(value, low, high):
    return f"{number(value)} ({number(round(low, 2))} to {number(round(high, 2))})"


def members(of):
    """Returns the members of a set, in the order of SHORT."""
    return sorted((o for o, (member, _) in of.items() if member), key=lambda o: list(SHORT).index(o.split(".")[0]))


def name(of):
    names = [short(m) for m in members(of)]
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"


def table(head, lines):
    print("| " + " | ".join(head) + " |\n|---|---|" + "---|" * (len(head) - 2))
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print()


def matches(folder, runs, seen):
    for run, stage in runs.items():
        images = statistics(folder / f"match-{run}.json.gz")
        n = len(images)
        count = lambda good: sum(all(good(e) for e in of.values()) for of in images.values())
        losses = [np.mean([of[m]["loss"] for of in images.values()]) for m in members(seen[run])]
        yield [name(seen[run]), stage, f"{count(lambda e: max(e['pPearson'], e['pSpearman'], e['pSNR']) < 1.5 / (PAIRS + 1))} of {n}",
               str(k := count(lambda e: e["verdict"] == "pass")), share(k, n), str(count(lambda e: e["pngVerdict"] == "pass")),
               ", ".join(f"{v:.2g}".lstrip("0") for v in losses)]


def recognition(runs, seen, categories):
    def others(of):
        # A photograph without one of the 16 categories has none to be recognized.
        return mean([np.mean(v) for v in outside(of).values() if not np.isnan(v).any()])
    for run, stage in runs.items():
        row = [name(seen[run]), stage]
        for observer in SHORT:
            member, values = next(v for o, v in seen[run].items() if o.split(".")[0] == observer)
            seen_by = number(np.mean(list(values.values())))
            row.append(f"**{seen_by}**" if member else seen_by)
        yield row + [others(seen[run]), others(categories[run])]


def tables(folder):
    seen, what = rows(folder / "rows.csv.gz", ("recognizability", "recognizability-16"))
    seen, categories = seen.values()
    place = lambda run: (-len(members(seen[run])), [list(SHORT).index(m.split(".")[0]) for m in members(seen[run])], ["early", "middle", "late"].index(what[run][1]))
    runs = {run: what[run][1] for run in sorted(what, key=place)}  # ensembles first
    table(["set", "stage", "above every null pair", "pass", "share that passes", "as PNG", "relative L2 of each member"], matches(folder, runs, seen))
    table(["set", "stage", *SHORT.values(), "others", "others, 16 categories"], recognition(runs, seen, categories))


if len(sys.argv) == 4 and sys.argv[1] == "select":
    select(*sys.argv[2:])
elif len(sys.argv) == 2:
    tables(Path(sys.argv[1]))
else:
    sys.exit(__doc__)
