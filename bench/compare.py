#!/usr/bin/env python3
"""Times one synthesis step here, in PyTorch and in JAX, interleaved, on the same machine.

usage: bench/compare.py [--stages late,middle,early] [--rounds 15] [--json bench/results/NAME.json]

Each program is a process that answers "run N" with its own measure of the seconds that N
steps took (peers/serve.py has the protocol), so start-up and compilation are not in it.
In each round every program runs once, in an order that rotates; the first rounds warm up
and are not counted. Ratios are taken within a round, then the median over rounds. Before
timing, both peers' first 20 losses are held against testdata/golden. Standard library only;
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
    a.add_argument("--backend", default="xla", help="of this project: xla, go or cuda")
    a.add_argument("--python", help="interpreter that has requirements.txt; default: bench/.venv, made when missing")
    a.add_argument("--json", help="also write every measurement there")
    return a.parse_args()


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


def commands(a, python, stage, weights):
    """{name: (command, environment)} of the programs to compare, this project first."""
    data = str(Path(a.data).resolve())
    out = {}
    if a.metamers:
        out["metamers"] = [a.metamers, f"--backend={a.backend}", "bench-step", "--model", a.model, "--stage", stage, "--batch", str(a.batch)]
    for peer in a.peers.split(","):
        script, extra = {"torch": ("torch_step.py", []), "jax": ("jax_step.py", []), "jax-scan": ("jax_step.py", ["--scan"])}[peer]
        out[peer] = [python, HERE / "peers" / script, *extra, "--model", a.model, "--stage", stage, "--batch", str(a.batch),
                     "--threads", str(a.threads), "--weights", weights, "--data", data,
                     "--start", ROOT / "testdata/golden/pgd_start.safetensors"]
    env = dict(os.environ, METAMERS_DATA=data, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="", PYTHONDONTWRITEBYTECODE="1")
    if a.backend == "cuda":
        raise SystemExit("compare.py: the peers run on the CPU here; compare with --backend xla or go")
    return {name: Process(name, [str(c) for c in command], env) for name, command in out.items()}


def check(a, python, stage, processes):
    """Stops unless the peers take the steps of testdata/scripts/pgd.py."""
    golden = ROOT / f"testdata/golden/pgd_{a.model}.safetensors"
    if not golden.exists() or a.batch > 16:
        return f"not checked: no golden losses of {a.model} at batch {a.batch}"
    read = "import json,sys; from safetensors.numpy import load_file; print(json.dumps(load_file(sys.argv[1])[sys.argv[2]].tolist()))"
    want = json.loads(subprocess.run([python, "-c", read, golden, "losses20." + stage], check=True, capture_output=True, text=True).stdout)
    worst = {}
    for name, p in processes.items():
        if name != "metamers":  # its own tests do this
            got = json.loads(p.ask("check"))
            worst[name] = max(abs(g / w - 1) for gs, ws in zip(got, want) for g, w in zip(gs, ws))
            if not worst[name] <= 1e-3:
                raise SystemExit(f"compare.py: {name} at {stage}: a loss of the first 20 steps is off by {worst[name]:.2g}, expected at most 1e-3")
    return worst


def measure(a, python, stage, weights):
    processes = commands(a, python, stage, weights)
    try:
        programs = {name: p.ready() for name, p in processes.items()}
        checked = check(a, python, stage, processes)
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
