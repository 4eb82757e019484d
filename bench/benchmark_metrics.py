#!/usr/bin/env python3
"""Image metrics of a benchmark's runs, by optimiser: means over cells (a set at a stage) and images, seeds
averaged, with 95 % bootstrap intervals over images, and how much nearer to their references' values
one method's images lie than the baseline's.

    metamers eval RUN… --measures metrics --resamples 200 --out ROWS.csv      # runs of two optimisers
    bench/benchmark_metrics.py ROWS.csv --baseline pgd                           # wants numpy
"""
import argparse
import collections
import csv

import numpy as np

a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
a.add_argument("rows")
a.add_argument("--baseline", default="pgd")
a = a.parse_args()

values, reference = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list))), {}
try:
    with open(a.rows, newline="") as f:
        rows = list(csv.DictReader(f))
except OSError as e:
    raise SystemExit(f"{a.rows}: {e.strerror}, expected the rows of metamers eval")
if not rows or not {"image", "value", "run", "measure", "set", "stage", "optimizer"} <= set(rows[0]):
    raise SystemExit(f"{a.rows}: expected the rows of metamers eval, with their columns")
made = {r["optimizer"].split()[0] for r in rows if r["run"] and r["optimizer"]}
if a.baseline not in made or len(made) < 2:
    raise SystemExit(f"{a.rows}: runs of {', '.join(sorted(made)) or 'no optimiser'}, expected {a.baseline} and another")
for r in rows:
    if r["image"] in ("", "-1") or r["value"] in ("", "NaN"):
        continue
    if r["run"]:
        values[r["measure"]][r["set"], r["stage"]][r["optimizer"].split()[0], int(r["image"])].append(float(r["value"]))
    else:
        reference[r["measure"], int(r["image"])] = float(r["value"])

rng = np.random.default_rng(0)


def interval(each):
    """The mean of a value an image, with its interval."""
    means = each[rng.integers(0, len(each), (2000, len(each)))].mean(1)
    return f"{each.mean():+.3g} ({np.percentile(means, 2.5):+.3g} to {np.percentile(means, 97.5):+.3g})"


print("| metric | references | baseline | other | difference | nearer to the references by | cells |")
print("|---|---:|---:|---:|---:|---:|---:|")
for measure, cells in sorted(values.items()):
    both, own = {a.baseline: [], "": []}, []
    for cell in cells.values():
        images = sorted({i for _, i in cell})
        for k in both:
            both[k].append([np.mean(sum((v for (o, i), v in cell.items() if i == image and (o == a.baseline) == (k == a.baseline)), [])) for image in images])
        own.append([reference.get((measure, i), np.nan) for i in images])
    base, other, own = np.array(both[a.baseline]), np.array(both[""]), np.array(own)
    nearer = np.abs(base - own) - np.abs(other - own)  # NaN where the metric is a distance from the reference
    known = not np.isnan(own).any()
    print(f"| {measure} | {f'{own.mean():.3g}' if known else '–'} | {base.mean():.3g} | {other.mean():.3g} | {interval((other - base).mean(0))} | "
          f"{interval(nearer.mean(0)) if known else '–'} | {f'{(nearer.mean(1) > 0).sum()} of {len(cells)}' if known else '–'} |")
