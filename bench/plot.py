#!/usr/bin/env python3
"""Draws what compare.py wrote: time per step beside this project's, losses against time, and
the time to a relative loss of .1.

usage: bench/plot.py RESULTS.json… OUT.png     (an interpreter with matplotlib)
"""
import json
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import report

COLOURS = {"metamers": "#0072B2", "metamers-mixed": "#003B5C", "metamers-fast": "#56B4E9", "torch": "#D55E00", "torch-channels-last": "#F4A582",
           "torch-compile": "#8C2D04", "torch-bfloat16": "#B2182B", "jax": "#009E73", "jax-scan": "#CC79A7", "plenoptic": "#E69F00"}
LEVEL = .1


def ratios(axis, cases):
    """Points and quartiles of (this project's time in the same precision / its time), a row a case."""
    labels = [f"{c['model']} {c['stage']}" for c in cases]
    peers = [n for n in COLOURS if not n.startswith("metamers") and any(n in c["programs"] for c in cases)]
    for i, name in enumerate(peers):
        here = "metamers-mixed" if name == "torch-bfloat16" else "metamers"  # in the same precision
        rows = [(y, c) for y, c in enumerate(cases) if name in c["programs"] and here in c["programs"]]
        for y, c in rows:
            low, mid, high = report.quartiles([r[here] / r[name] for r in c["secondsPerStep"]])
            axis.errorbar(mid, y + .6 * ((i + .5) / len(peers) - .5), xerr=[[mid - low], [high - mid]], fmt="o", color=COLOURS[name], capsize=3, label=name if y == rows[0][0] else None)
    axis.axvline(1, color="#888888", linewidth=1)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(left=0)
    axis.set_xlabel("time of a step here / there, in the same precision\n(median, quartiles of rounds)")
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


def arrival(axis, c):
    """Seconds until the mean relative loss is at most LEVEL: start and compilation, then steps."""
    rows = [(n, report.reached(trace, LEVEL)) for n, trace in c["losses"].items()]
    for y, (name, n) in enumerate(rows):
        step = statistics.median(r[name] for r in c["secondsPerStep"])
        start = max(0, c["firstSeconds"][name] - c["steps"] * step)
        if n is None:
            axis.text(0, y, f" not within {len(c['losses'][name])} evaluations", va="center", fontsize=8)
            continue
        axis.barh(y, start, color=COLOURS[name], alpha=.35)
        axis.barh(y, n * step, left=start, color=COLOURS[name])
        axis.text(start + n * step, y, f" {start + n * step:.1f} s, {n} evaluations", va="center", fontsize=8)
    axis.set_yticks(range(len(rows)), [n for n, _ in rows])
    axis.invert_yaxis()
    axis.margins(x=.6)
    axis.set_xlabel(f"seconds to a relative loss of {LEVEL}\n(pale: start and compilation)")
    axis.set_title(f"{c['model']} {c['stage']}, {c['batch']} images", fontsize=10)


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
    figure, axes = plt.subplots(1, 1 + 2 * len(curves), figsize=(6 + 10 * len(curves), 2 + .45 * max(len(cases), 5)), squeeze=False)
    ratios(axes[0][0], cases)
    for i, c in enumerate(curves):
        descent(axes[0][1 + 2 * i], c)
        arrival(axes[0][2 + 2 * i], c)
    figure.tight_layout()
    figure.savefig(out, dpi=150)


main()
