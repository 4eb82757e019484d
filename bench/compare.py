#!/usr/bin/env python3
"""Times one synthesis step here, in PyTorch and in JAX, interleaved, on the same machine.

usage: bench/compare.py [--stages late,middle,early] [--rounds 15] [--json bench/results/NAME.json]

Each program is a process that answers "run N" with its own measure of the seconds that N
steps took (peers/serve.py has the protocol), so start-up and compilation are not in it.
In each round every program runs once, in an order that rotates; the first rounds warm up
and are not counted. Ratios are taken within a round, then the median over rounds. Before
timing, one step of each peer is held against testdata/golden. Standard library only;
the peers live in bench/.venv, made at the first use, or in the interpreter of --python.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import report
from process import Process

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WEIGHTS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}


def flags():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--model", choices=WEIGHTS, default="resnet20")
    a.add_argument("--stages", default="late,middle,early")
    a.add_argument("--batch", type=int, default=8)
    a.add_argument("--steps", type=int, default=40, help="steps of one run")
    a.add_argument("--rounds", type=int, default=15)
    a.add_argument("--warm", type=int, default=2, help="rounds before those")
    a.add_argument("--peers", default="torch,jax", help="of torch, jax, jax-scan (all steps in one executable)")
    a.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of PyTorch; XLA takes every core it may use")
    a.add_argument("--data", default=os.environ.get("METAMERS_DATA", str(ROOT / "../shared/data")), help="folder with CIFAR-10 and weights/")
    a.add_argument("--metamers", default=str(ROOT / "bin/metamers"), help="this project's program; empty: peers only")
    a.add_argument("--backend", choices=["xla", "go"], default="xla", help="of this project; everything runs on the CPU")
    a.add_argument("--python", help="interpreter that has requirements.txt; default: bench/.venv, made when missing")
    a.add_argument("--json", help="also write every measurement there")
    a = a.parse_args()
    a.data = str(Path(a.data).resolve())
    if unknown := set(a.peers.split(",")) - {"torch", "jax", "jax-scan"}:
        raise SystemExit(f"compare.py: unknown peer {unknown.pop()!r}, expected torch, jax or jax-scan")
    return a


def interpreter(given):
    """The peers' Python: the given one, or that of bench/.venv."""
    if given:
        return given
    python, want = HERE / ".venv/bin/python", HERE / "requirements.txt"
    made_with = HERE / ".venv/made-with.txt"  # written last: a half-made venv is made again
    if not made_with.exists() or made_with.read_text() != want.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", HERE / ".venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", want], check=True)
        made_with.write_text(want.read_text())
    return str(python)


def peer(a, python, name, stage, weights, *more):
    """Starts a peer."""
    script, extra = {"torch": ("torch_step.py", []), "jax": ("jax_step.py", []), "jax-scan": ("jax_step.py", ["--scan"])}[name]
    return start(a, name, [python, HERE / "peers" / script, *extra, "--model", a.model, "--stage", stage, "--batch", a.batch, "--threads", a.threads,
                           "--weights", weights, "--data", a.data, "--start", ROOT / "testdata/golden/pgd_start.safetensors", *more])


def start(a, name, command):
    env = dict(os.environ, METAMERS_DATA=a.data, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="", PYTHONDONTWRITEBYTECODE="1")
    return Process(name, [str(c) for c in command], env)


def check(a, python, name, stage, weights):
    """Stops unless a step of the peer is the golden one; returns the errors. This project's own tests check its step."""
    p = peer(a, python, name, stage, weights, "--golden", ROOT / f"testdata/golden/{a.model}_cifar10.safetensors")
    try:
        p.ready()
        errors = json.loads(p.ask("check"))
    finally:
        p.close()
    if not max(errors.values()) <= 1e-3:
        raise SystemExit(f"compare.py: {name} at {stage}: relative errors of a step {errors}, expected at most 1e-3")
    return errors


def measure(a, python, stage, weights):
    peers = a.peers.split(",")
    checked = {name: check(a, python, name, stage, weights) for name in peers}
    processes = {}
    try:
        if a.metamers:
            own = [a.metamers, f"--backend={a.backend}", "bench-step", "--model", a.model, "--stage", stage, "--batch", a.batch]
            processes["metamers"] = start(a, "metamers", own)
        processes |= {name: peer(a, python, name, stage, weights) for name in peers}
        programs = {name: p.ready() for name, p in processes.items()}
        names, rounds = list(processes), []
        for i in range(a.warm + a.rounds):
            turn = i % len(names)
            took = {n: float(processes[n].ask(f"run {a.steps}")) / a.steps for n in names[turn:] + names[:turn]}
            if i >= a.warm:
                rounds.append({n: took[n] for n in names})
        memory = {n: float(p.ask("mem")) for n, p in processes.items()}
    finally:
        for p in processes.values():
            p.close()
    return {"stage": stage, "programs": programs, "checked": checked, "secondsPerStep": rounds, "peakMiB": memory}


def main():
    a = flags()
    if a.metamers and not Path(a.metamers).exists():
        raise SystemExit(f"compare.py: {a.metamers} is missing; build it (make build) or give --metamers")
    source = Path(a.data, "weights", WEIGHTS[a.model])
    if not source.exists():
        raise SystemExit(f"compare.py: {source} is missing; give --data a folder with weights/ and CIFAR-10")
    python = interpreter(a.python)
    result = {"machine": report.machine(), "project": report.project(ROOT), "settings": {k: getattr(a, k) for k in ("model", "batch", "steps", "rounds", "warm", "threads", "backend")}}
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch, "weights.npz")
        subprocess.run([python, HERE / "peers/export.py", source, weights], check=True)
        result["stages"] = [measure(a, python, stage, weights) for stage in a.stages.split(",")]
    result["machine"]["loadAfter"] = os.getloadavg()[0]
    print(report.markdown(result))
    if a.json:
        Path(a.json).parent.mkdir(parents=True, exist_ok=True)
        Path(a.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
