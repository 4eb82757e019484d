#!/usr/bin/env python3
"""Times the step of synthesis on one GPU in this project, in JAX and in PyTorch, round by round.

Every program of a model and precision is a process. All start at once, compile side by side, and
wait; when the last is ready (or --deadline is over: what is not ready then is left out and named)
they are timed one after the other, each for --steps steps a round, in an order that rotates. Ratios
are taken within a round. Weights are random and the same in all programs (peers/random_weights.py).

Programs: metamers; metamers-triton (XLA may use Triton for products); jax; torch-compile; torch-eager.
Of this project's runs one of 10 steps is taken off: what is timed are steps, as in the peers.
Precisions: tf32; bfloat16 (here --precision mixed); float32, exact.

    bench/gpu.py --metamers bin/metamers --json FILE
"""
import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "peers")]
from process import Process, own_cache  # noqa: E402

SETTLE = 10  # steps whose run is taken off a run of this project
# Variants of this project are programs with more in their environment.
VARIANTS = {"metamers": {}, "metamers-triton": {"XLA_FLAGS": "--xla_gpu_enable_triton_gemm=true"}}
ARCHITECTURES = {"resnet50": "resnet50.tv_in1k", "vit_base_patch16_224": "vit_base_patch16_224"}


def flags():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    many = lambda s: s.split(",")
    a.add_argument("--metamers", default=str(HERE.parent / "bin/metamers"))
    a.add_argument("--python", default=sys.executable, help="with torch, timm and jax")
    a.add_argument("--models", type=many, default=list(ARCHITECTURES))
    a.add_argument("--precisions", type=many, default=["tf32", "bfloat16"])
    a.add_argument("--programs", type=many, default=["metamers", "jax", "torch-compile"])
    a.add_argument("--batch", type=int, default=64)
    a.add_argument("--steps", type=int, default=100, help="of a round")
    a.add_argument("--rounds", type=int, default=6)
    a.add_argument("--deadline", type=float, default=300, help="seconds until programs must be ready")
    a.add_argument("--within", type=float, default=1e9, help="seconds after which no round begins")
    a.add_argument("--device", choices=["gpu", "cpu"], default="gpu", help="cpu tries this script out")
    a.add_argument("--json")
    return a.parse_args()


class Program:
    """One program at one model and precision. ready is what it says of itself, None until then."""

    def __init__(self, a, name, model, precision, scratch):
        self.name, self.model, self.precision, self.ready, self.error = name, model, precision, None, None
        env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if self.ours():
            env |= {"METAMERS_TF32": str(int(precision != "float32")), "METAMERS_CACHE": str(scratch / "cache"), "METAMERS_BACKEND": {"gpu": "cuda", "cpu": "xla"}[a.device]}
            env |= {k: v.format(model=model, precision=precision) for k, v in VARIANTS[name].items()}
            command = [a.metamers, "bench-step", "--model", "random_" + model, "--batch", a.batch, "--images", scratch / "images", "--size", 224,
                       "--precision", "mixed" if precision == "bfloat16" else "float32"]
        else:
            command = [a.python, HERE / "peers/gpu_step.py", "--serve", "--program", name, "--model", model, "--precision", precision, "--batch", a.batch, "--device", a.device]
        self.began = time.perf_counter()
        self.process = Process(str(self), list(map(str, command)), env)
        threading.Thread(target=self.wait, args=(a.steps,), daemon=True).start()

    def __str__(self):
        return f"{self.name} {self.model} {self.precision}"

    def ours(self):
        return self.name in VARIANTS

    def steps(self, n):
        """Seconds of n steps. A run of this project begins with noise and targets and ends with images fetched; the peers' do not."""
        if not self.ours():
            return float(self.process.ask(f"run {n}"))
        return float(self.process.ask(f"run {n + SETTLE}")) - float(self.process.ask(f"run {SETTLE}"))

    def wait(self, steps):
        """Until it is ready and has taken a run's steps: so long are a first run's compilation and choices."""
        try:
            about = self.process.ready()
            self.process.ask(f"run {steps}")
            self.ready = {"about": about, "first_s": round(time.perf_counter() - self.began, 1)}
        except SystemExit as e:
            self.error = str(e)


def prepare(a, scratch):
    """Weights of every model for this project, and reference images."""
    import gpu_step
    env = dict(os.environ, METAMERS_CACHE=own_cache(scratch / "cache"))
    for model in a.models:
        file = scratch / f"{model}.safetensors"
        save_file(gpu_step.weights(model), file)
        subprocess.run([a.metamers, "models", "add", "--arch", ARCHITECTURES[model], "--weights", str(file), "--name", "random_" + model], check=True, env=env, stdout=subprocess.DEVNULL)
    (scratch / "images").mkdir()
    for i, x in enumerate(np.random.default_rng(2).random((a.batch, 224, 224, 3), np.float32)):
        Image.fromarray(np.uint8(x * 255)).save(scratch / f"images/{i:03d}.png")


def combinations(a):
    return [(name, m, p) for m in a.models for p in a.precisions for name in a.programs]


def busy(out):
    """Notes the GPU's utilisation, in percent."""
    if shutil.which("nvidia-smi") is None:
        return
    p = subprocess.run(["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"], capture_output=True, text=True)
    if p.returncode == 0:
        out.append(float(p.stdout.split()[0]))


def main():
    a, began, results = flags(), time.perf_counter(), []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        prepare(a, scratch)
        programs = [Program(a, *c, scratch) for c in combinations(a)]
        while any(p.ready is None and p.error is None for p in programs) and time.perf_counter() - began < a.deadline:
            time.sleep(.2)
        for p in programs:
            print(p, "ready:" if p.ready else "left out:", p.ready or p.error or f"not ready after {a.deadline:.0f} s", file=sys.stderr, flush=True)
        for model, precision in itertools.product(a.models, a.precisions):
            here = [p for p in programs if p.ready and (p.model, p.precision) == (model, precision)]
            ms = {p.name: [] for p in here}
            used = {p.name: [] for p in here}
            for r in range(a.rounds):
                if time.perf_counter() - began > a.within:
                    break
                for i in range(len(here)):
                    p = here[(i + r) % len(here)]
                    sampler = threading.Timer(.3, busy, (used[p.name],))
                    sampler.start()
                    ms[p.name].append(p.steps(a.steps) / a.steps * 1000)
                    sampler.join()
            for p in here:
                if not ms[p.name]:
                    continue
                m = statistics.median(ms[p.name])
                line = {"program": p.name, "model": model, "precision": precision, "batch": a.batch, "steps": a.steps, "ms": [round(v, 3) for v in ms[p.name]],
                        "images_per_s": round(a.batch / m * 1000), "utilisation": used[p.name], **p.ready}
                if "metamers" in ms:
                    line["speed_of_metamers"] = [round(v / w, 3) for v, w in zip(ms[p.name], ms["metamers"])]
                results.append(line)
                print(json.dumps(line), flush=True)
        for p in programs:
            p.process.p.kill()
    if a.json:
        Path(a.json).write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(not results)


if __name__ == "__main__":
    main()
