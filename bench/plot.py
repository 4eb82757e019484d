#!/usr/bin/env python3
"""Draws what compare.py wrote: time per step beside this project's, and losses against time.

usage: bench/plot.py RESULTS.json… OUT.png     (an interpreter with matplotlib)
"""
import json
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"metamers": "#0072B2", "metamers-fast": "#56B4E9", "torch": "#D55E00", "jax": "#009E73", "jax-scan": "#CC79A7", "plenoptic": "#E69F00"}


def ratios(axis, cases):
    """Points and quartiles of (this project's time / its time), a row a case."""
    labels = [f"{c['model']} {c['stage']}" for c in cases]
    for offset, name in ((-.15, "torch"), (.15, "jax")):
        for y, c in enumerate(cases):
            if name in c["programs"] and "metamers" in c["programs"]:
                low, mid, high = statistics.quantiles([r["metamers"] / r[name] for r in c["secondsPerStep"]], n=4, method="inclusive")
                axis.errorbar(mid, y + offset, xerr=[[mid - low], [high - mid]], fmt="o", color=COLOURS[name], capsize=3, label=name if y == 0 else None)
    axis.axvline(1, color="#888888", linewidth=1)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(left=0)
    axis.set_xlabel("time of a step here / there (median, quartiles of rounds)")
    axis.legend(title="there", loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def descent(axis, c):
    for name, trace in c["losses"].items():
        step = statistics.median(r[name] for r in c["secondsPerStep"])
        axis.plot([step * i for i in range(len(trace))], trace, color=COLOURS[name], label=name)
    axis.set_yscale("log")
    axis.set_xlabel("seconds of steps")
    axis.set_ylabel("mean relative loss")
    axis.set_title(f"{c['model']} {c['stage']}, {c['batch']} images", fontsize=10)
    axis.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(.5, -.2), ncols=3)


def cases_of(source):
    with open(source) as f:
        result = json.load(f)
    if "cases" not in result:
        raise SystemExit(f"plot.py: {source} has no cases: it is not, or not any more, what compare.py writes")
    return result["cases"]


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    *sources, out = sys.argv[1:]
    cases = [c for s in sources for c in cases_of(s)]
    curves = [c for c in cases if c["losses"]]
    figure, axes = plt.subplots(1, 1 + len(curves), figsize=(6 + 4 * len(curves), 2 + .45 * max(len(cases), 5)), squeeze=False)
    ratios(axes[0][0], cases)
    for axis, c in zip(axes[0][1:], curves):
        descent(axis, c)
    figure.tight_layout()
    figure.savefig(out, dpi=150)


main()
