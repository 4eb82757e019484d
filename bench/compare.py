#!/usr/bin/env python3
"""Times synthesis here, in PyTorch, plenoptic and JAX, interleaved, on the same machine.

usage: bench/compare.py --quick                  five minutes: ResNet-18 at 224², every program
       bench/compare.py [--model resnet20,resnet18,…] [--rounds 15] [--losses 600] [--json bench/results/NAME.json]

Each program is a process that answers "run N" with its own measure of the seconds that N
steps took (peers/serve.py has the protocol), so start-up and compilation are not in it.
In each round every program runs once, in an order that rotates; the first rounds warm up
and are not counted. Ratios are taken within a round, then the median over rounds. What a
program needs from its start to the end of its first run is measured too ("first"). With
--losses N each runs N steps once, and the table has evaluations and time to given losses.
Before timing, one step of each peer is held against a golden one. A peer that fails is a
row of the table that says so. Standard library only; the peers live in bench/.venv, made at
the first use, or in the interpreter of --python.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
from process import Failed, Process, own_cache

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CIFAR = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
# At 224²: timm's name and the card whose architecture it is. Weights are random, where TRAINED
# names no file or the data folder lacks it.
IMAGENET = {
    "resnet18": "resnet18.tv_in1k",
    "resnet50": "resnet50.tv_in1k",
    "vgg16": "vgg16.tv_in1k",
    "convnext_tiny": "convnext_tiny.fb_in1k",
    "vit_tiny_patch16_224": "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "vit_small_patch16_224": "vit_small_patch16_224.augreg_in21k_ft_in1k",
}
TRAINED = {"vit_tiny_patch16_224": "vit_tiny_patch16_224.augreg.safetensors"}
STEP_SIZE = 14  # of pgd's first steps at 224²; 1 at 32² (the side is 7 times as long, and twice that for few steps)
PEERS = {
    "torch": ["torch_step.py"],
    "torch-channels-last": ["torch_step.py", "--channels-last"],
    "torch-compile": ["torch_step.py", "--compile"],
    "torch-bfloat16": ["torch_step.py", "--channels-last", "--bfloat16"],
    "jax": ["jax_step.py"],
    "jax-scan": ["jax_step.py", "--scan"],
    "plenoptic": ["plenoptic_step.py"],
}
OURS = {"metamers": ["--optimizer", "pgd"], "metamers-mixed": ["--optimizer", "pgd", "--precision", "mixed"], "metamers-fast": ["--optimizer", "fast"]}
QUICK = {"model": "resnet18", "rounds": 3, "warm": 1, "losses": 100, "ours": ",".join(OURS), "peers": "torch,torch-channels-last,torch-compile,torch-bfloat16,jax"}


def flags():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--model", default="resnet20", help="comma list of " + ", ".join([*CIFAR, *IMAGENET]))
    a.add_argument("--stages", default="late", help="comma list; at 224² late alone")
    a.add_argument("--batch", type=int, help="images; default 8, at 224² 4")
    a.add_argument("--steps", type=int, help="of one run; default 40, at 224² 8")
    a.add_argument("--quick", action="store_true", help="the settings of a first look: " + " ".join(f"--{k} {v}" for k, v in QUICK.items()))
    a.add_argument("--rounds", type=int, default=15)
    a.add_argument("--warm", type=int, default=2, help="rounds before those")
    a.add_argument("--losses", type=int, default=0, help="steps of one more run each, whose losses are kept")
    a.add_argument("--peers", default="torch,jax", help="of " + ", ".join(PEERS))
    a.add_argument("--ours", default="metamers", help="of " + ", ".join(OURS) + "; empty: peers only")
    a.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of PyTorch; XLA takes every core it may use")
    a.add_argument("--data", default=os.environ.get("METAMERS_DATA", str(ROOT / "../shared/data")), help="folder with CIFAR-10 and weights/")
    a.add_argument("--metamers", default=str(ROOT / "bin/metamers"), help="this project's program")
    a.add_argument("--backend", choices=["xla", "go"], default="xla", help="of this project; everything runs on the CPU")
    a.add_argument("--python", help="interpreter that has requirements.txt; default: bench/.venv, made when missing")
    a.add_argument("--json", help="also write every measurement there")
    if a.parse_known_args()[0].quick:
        a.set_defaults(**QUICK)
    a = a.parse_args()
    a.data = str(Path(a.data).resolve())
    a.model, a.peers, a.ours = ([x for x in v.split(",") if x] for v in (a.model, a.peers, a.ours))
    for given, known, what in ((a.model, CIFAR | IMAGENET, "model"), (a.peers, PEERS, "peer"), (a.ours, OURS, "program of ours")):
        if unknown := set(given) - set(known):
            raise SystemExit(f"compare.py: unknown {what} {unknown.pop()!r}, expected {', '.join(known)}")
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


class Case:
    """A model at a stage, and the files that its programs read."""

    def __init__(self, a, python, model, scratch):
        self.a, self.python, self.model, self.small = a, python, model, model in CIFAR
        self.batch = a.batch or (8 if self.small else 4)
        self.steps = a.steps or (40 if self.small else 8)
        self.weights, self.cache = scratch / f"{model}.npz", scratch / "cache"
        if self.small:
            source = Path(a.data, "weights", CIFAR[model])
            if not source.exists():
                raise SystemExit(f"compare.py: {source} is missing; give --data a folder with weights/ and CIFAR-10")
            self.prepare(source, self.weights)
            self.golden, self.name = ROOT / f"testdata/golden/{model}_cifar10.safetensors", model
        else:
            source = Path(a.data, "weights", TRAINED.get(model, "none"))
            source = source if source.exists() else None
            self.prepare("--at-224", model, scratch, self.batch, *[source] * bool(source))
            self.images = scratch / "images"
            self.golden, self.name = scratch / f"{model}.golden.safetensors", "bench_" + model
            if a.ours:
                add = [a.metamers, "models", "add", "--arch", IMAGENET[model], "--weights", source or scratch / f"{model}.safetensors", "--name", self.name]
                subprocess.run([str(c) for c in add], env=self.env(), check=True, stdout=subprocess.DEVNULL)

    def prepare(self, *args):
        subprocess.run([self.python, HERE / "peers/prepare.py", *map(str, args)], check=True)

    def env(self):
        # "first" is with everything compiled, as in the peers, unless the caller says otherwise.
        env = dict({"METAMERS_COMPILED": "off"} | dict(os.environ), METAMERS_DATA=self.a.data, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="", PYTHONDONTWRITEBYTECODE="1")
        if not self.small:  # cards of models added here stay here; the plugins are those of the user
            env["METAMERS_CACHE"] = own_cache(self.cache)
        return env

    def start(self, name, stage, *more):
        if name in OURS:
            size = [] if self.small else ["--images", self.images, "--size", 224]
            if not self.small and "pgd" in OURS[name]:
                size += ["--step-size", STEP_SIZE]
            command = [self.a.metamers, f"--backend={self.a.backend}", "bench-step", "--model", self.name, "--stage", stage, "--batch", self.batch,
                       *OURS[name], *size]
        else:
            script, *extra = PEERS[name]
            if not self.small:
                extra += ["--images", self.images, "--step-size", STEP_SIZE]
            command = [self.python, HERE / "peers" / script, *extra, "--model", self.model, "--stage", stage, "--batch", self.batch, "--threads", self.a.threads,
                       "--weights", self.weights, "--data", self.a.data, "--start", ROOT / "testdata/golden/pgd_start.safetensors", *more]
        return Process(name, [str(c) for c in command], self.env())

    def check(self, name, stage):
        """Stops unless a step of the peer is the golden one; returns the errors. This project's own tests check its step."""
        p = self.start(name, stage, "--golden", self.golden)
        try:
            p.ready()
            errors = json.loads(p.ask("check"))
        finally:
            p.close()
        most = {"loss": 1e-3, "step": 1e-3 if self.small else 1e-2}  # random weights: ReLUs that rounding flips move the image by some 1e-3
        if name.endswith("bfloat16"):
            most = {"loss": 3e-2, "step": .5}  # 8 bits of mantissa
        if not all(errors[k] <= most[k] for k in most):
            raise Failed(f"{name} of {self.model} at {stage}: relative errors of a step {errors}, expected at most {most}")
        return errors

    def measure(self, stage):
        a = self.a
        checked, processes, programs, first, failed = {}, {}, {}, {}, {}
        try:
            for name in [*a.ours, *a.peers]:  # one after the other, nothing else running
                try:
                    if name in a.peers and name != "plenoptic":
                        checked[name] = self.check(name, stage)
                    began = time.monotonic()
                    p = processes[name] = self.start(name, stage)
                    programs[name] = p.ready()
                    p.ask(f"run {self.steps}")
                    first[name] = time.monotonic() - began
                except Failed as e:
                    if name in a.ours:
                        raise
                    print(f"compare.py: {e}", file=sys.stderr)
                    failed[name] = str(e)
                    programs.pop(name, None)
                    if p := processes.pop(name, None):
                        p.close()
            names, rounds = list(processes), []
            for i in range(a.warm + a.rounds):
                turn = i % len(names)
                took = {n: float(processes[n].ask(f"run {self.steps}")) / self.steps for n in names[turn:] + names[:turn]}
                if i >= a.warm:
                    rounds.append({n: took[n] for n in names})
            losses = {}
            if a.losses:
                for n, p in processes.items():
                    p.ask(f"run {a.losses}")
                    losses[n] = json.loads(p.ask("losses"))
            memory = {n: float(p.ask("mem")) for n, p in processes.items()}
        finally:
            for p in processes.values():
                p.close()
        return {"model": self.model, "stage": stage, "failed": failed, "batch": self.batch, "steps": self.steps, "programs": programs, "checked": checked,
                "secondsPerStep": rounds, "firstSeconds": first, "losses": losses, "peakMiB": memory}


def main():
    a = flags()
    if a.ours and not Path(a.metamers).exists():
        raise SystemExit(f"compare.py: {a.metamers} is missing; build it (make build) or give --metamers")
    python = interpreter(a.python)
    result = {"machine": report.machine(), "project": report.project(ROOT), "settings": {k: getattr(a, k) for k in ("rounds", "warm", "threads", "backend")}, "cases": []}
    for model in a.model:
        with tempfile.TemporaryDirectory() as scratch:
            case = Case(a, python, model, Path(scratch))
            for stage in a.stages.split(",") if case.small else ["late"]:
                result["cases"].append(case.measure(stage))
                result["machine"]["loadAfter"] = os.getloadavg()[0]
                if a.json:  # after every case: an interrupted comparison keeps what it has
                    Path(a.json).parent.mkdir(parents=True, exist_ok=True)
                    Path(a.json).write_text(json.dumps(result, indent=1) + "\n")
    print(report.markdown(result))


if __name__ == "__main__":
    main()
