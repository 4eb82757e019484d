"""Describes the machine and turns measurements into tables."""
import os
import platform
import statistics
import subprocess


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


def markdown(result):
    m, s, first = result["machine"], result["settings"], result["stages"][0]
    versions = [f"{n}: {v}" for n, v in first["programs"].items() if v]
    versions += ["metamers " + result["project"]["commit"]] + [f"{n} {v}" for n, v in result["project"]["modules"].items()]
    lines = [
        f"{s['model']}, batch {s['batch']}, 32×32, {s['rounds']} interleaved rounds of {s['steps']} steps. "
        f"{m['cpu']}, {m['cores']} cores, {m['memoryGiB']} GiB; load average {m['loadBefore']:.1f} before, {m['loadAfter']:.1f} after.",
        "Versions: " + "; ".join(versions) + ".", "",
        "| stage | program | ms per step, median (quartiles) | metamers' time / its time, median (quartiles) | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for stage in result["stages"]:
        rounds = stage["secondsPerStep"]
        for name in stage["programs"]:
            ms = "{1:.1f} ({0:.1f}–{2:.1f})".format(*quartiles([1000 * r[name] for r in rounds]))
            ratio = "–"
            if "metamers" in stage["programs"] and name != "metamers":
                ratio = "{1:.2f} ({0:.2f}–{2:.2f})".format(*quartiles([r["metamers"] / r[name] for r in rounds]))
            lines.append(f"| {stage['stage']} | {name} | {ms} | {ratio} | {stage['peakMiB'][name]:.0f} |")
    return "\n".join(lines)
