"""Describes the machine and turns measurements into tables."""
import os
import platform
import statistics
import subprocess

LEVELS = (.3, .1, .03)


def machine():
    cpu = platform.machine()
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), cpu)
    with open("/proc/meminfo") as f:
        gib = int(f.readline().split()[1]) / 2**20
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memoryGiB": round(gib, 1), "system": platform.platform(), "loadBefore": os.getloadavg()[0]}


def project(root):
    """The project's commit, "+" when the working tree differs, and the pinned versions it computes with."""
    git = lambda *args: subprocess.run(["git", "-C", root, *args], capture_output=True, text=True, check=True).stdout.strip()
    changed = bool(git("status", "--porcelain", "--untracked-files=no"))
    pins = [line.split() for line in (root / "go.mod").read_text().splitlines() if "gomlx/" in line and "indirect" not in line]
    return {"commit": git("rev-parse", "--short=12", "HEAD") + "+" * changed, "modules": {p[-2].split("gomlx/", 1)[1]: p[-1] for p in pins}}


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, mid, high


def reached(losses, level):
    """Evaluations until the mean loss is at most level; None if it never is."""
    return next((i for i, loss in enumerate(losses) if loss <= level), None)


def markdown(result):
    m, s = result["machine"], result["settings"]
    programs = {n: v for c in result["cases"] for n, v in c["programs"].items() if v}
    versions = [f"{n}: {v}" for n, v in programs.items()]
    versions += ["metamers " + result["project"]["commit"]] + [f"{n} {v}" for n, v in result["project"]["modules"].items()]
    lines = [
        f"{s['rounds']} interleaved rounds. {m['cpu']}, {m['cores']} cores, {m['memoryGiB']} GiB; load average {m['loadBefore']:.1f} before, {m['loadAfter']:.1f} after.",
        "Versions: " + "; ".join(versions) + ".", "",
        "| model | stage | images × steps of a run | program | ms per step, median (quartiles) | metamers' time / its time, median (quartiles) | first run from nothing, s | peak memory, MiB |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    for c in result["cases"]:
        rounds = c["secondsPerStep"]
        for name in c["programs"]:
            ms = "{1:.1f} ({0:.1f}–{2:.1f})".format(*quartiles([1000 * r[name] for r in rounds]))
            ratio = "–"
            if "metamers" in c["programs"] and name != "metamers":
                ratio = "{1:.2f} ({0:.2f}–{2:.2f})".format(*quartiles([r["metamers"] / r[name] for r in rounds]))
            lines.append(f"| {c['model']} | {c['stage']} | {c['batch']} × {c['steps']} | {name} | {ms} | {ratio} | {c['firstSeconds'][name]:.1f} | {c['peakMiB'][name]:.0f} |")
        for name in c.get("failed", {}):
            lines.append(f"| {c['model']} | {c['stage']} | {c['batch']} × {c['steps']} | {name} | failed | – | – | – |")
        lines += best(c)
    return "\n".join(lines + losses(result))


def best(c):
    """Rows with this project's time as a part of that of the fastest peer of each round, for each precision."""
    lines = []
    for ours, low in (("metamers", False), ("metamers-mixed", True)):
        peers = [n for n in c["programs"] if not n.startswith("metamers") and (low or not n.endswith("bfloat16"))]
        if ours in c["programs"] and len(peers) > 1:
            ratio = "{1:.2f} ({0:.2f}–{2:.2f})".format(*quartiles([r[ours] / min(r[n] for n in peers) for r in c["secondsPerStep"]]))
            lines.append(f"| {c['model']} | {c['stage']} | {c['batch']} × {c['steps']} | {ours} / the fastest of {len(peers)} peers | – | **{ratio}** | – | – |")
    return lines


def losses(result):
    """The table of evaluations and time to given losses, nothing where there are none."""
    lines = ["", "Evaluations and seconds (evaluations × median step) to a mean relative loss of",
             "", "| model | stage | program | .3 | .1 | .03 | after all |", "|---|---|---|---:|---:|---:|---:|"]
    heading = len(lines)
    for c in result["cases"]:
        for name, trace in c["losses"].items():
            step = statistics.median(r[name] for r in c["secondsPerStep"])
            cells = []
            for level in LEVELS:
                n = reached(trace, level)
                cells.append("–" if n is None else f"{n} ({n * step:.1f} s)")
            lines.append(f"| {c['model']} | {c['stage']} | {name} | {' | '.join(cells)} | {len(trace)}: {trace[-1]:.2g} |")
    return lines if len(lines) > heading else []
