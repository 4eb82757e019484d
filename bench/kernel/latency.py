#!/usr/bin/env python3
"""Latencies of the kernel and of plain GoNB on the same cells, as a table.

    bin=$(go run ./kernel lab --setup-only)
    $bin/python bench/kernel/latency.py [--repeat 20] [--kernels metamers-go,gonb]

Every edited cell is new, so that no cache knows its program. Plain GoNB gets the
same binaries of gonb, goimports and gopls, the environment of this process, and
cells with "%%"; where it lacks something the entry is a dash. The load average is
printed: on a busy machine the numbers are those of a busy machine.
"""

import argparse
import glob
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--repeat", type=int, default=20)
parser.add_argument("--kernels", default="metamers-go,gonb")
args = parser.parse_args()


def plain_gonb(folder):
    """A kernelspec of plain GoNB with the tools that the kernel uses."""
    cache = Path(os.environ.get("METAMERS_CACHE") or Path.home() / ".cache/metamers")
    tools = sorted(glob.glob(str(cache / "kernel/tools-*")), key=os.path.getmtime)[-1]
    spec = {"argv": [tools + "/gonb", "--kernel", "{connection_file}"], "display_name": "GoNB", "language": "go",
            "interrupt_mode": "signal", "env": {"PATH": tools + os.pathsep + os.environ["PATH"]}}
    target = Path(folder) / "kernels/gonb"
    target.mkdir(parents=True)
    (target / "kernel.json").write_text(json.dumps(spec))


def execute(kc, code):
    begin = time.perf_counter()
    reply = kc.execute_interactive(code, timeout=300, allow_stdin=False, output_hook=lambda m: None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{code!r}: {reply['content']}")
    return time.perf_counter() - begin


def measure(name):
    rows = {}

    def repeat(what, f, times=args.repeat):
        rows[what] = [f() for _ in range(times)]
        print(f"{name}: {what}: median {statistics.median(rows[what]):.3f} s", file=sys.stderr)

    def ready():
        begin = time.perf_counter()
        km = KernelManager(kernel_name=name)
        km.start_kernel(stderr=open(os.devnull, "w"))
        kc = km.client()
        kc.start_channels()
        kc.wait_for_ready(timeout=60)
        took = time.perf_counter() - begin
        kc.stop_channels()
        km.shutdown_kernel()
        return took

    repeat("ready after start", ready)
    km = KernelManager(kernel_name=name)
    km.start_kernel(stderr=open(os.devnull, "w"))
    kc = km.client()
    kc.start_channels()
    kc.wait_for_ready(timeout=60)
    draw = lambda: random.randrange(1 << 40)
    try:
        execute(kc, f"%%\nfmt.Println({draw()})")
        repeat("edited cell, a printed line", lambda: execute(kc, f"%%\nfmt.Println({draw()})"))
        same = f"%%\nfmt.Println({draw()})"
        execute(kc, same)
        repeat("unchanged cell", lambda: execute(kc, same))
        if name == "metamers-go":
            repeat("edited cell, its value", lambda: execute(kc, f"{draw()} + 1"))
            picture = 'm := image.NewGray(image.Rect(0, 0, 200, 200))\nm.Pix[%d] = 255\nm'
            execute(kc, picture % 1)
            repeat("edited cell, a picture", lambda: execute(kc, picture % (draw() % 40000)))
        code = 'import "strings"\nfunc main() {\n\tx := strings.Rep'

        def complete():
            begin = time.perf_counter()
            kc.complete(code, len(code))
            while (reply := kc.get_shell_msg(timeout=60))["msg_type"] != "complete_reply":
                pass
            return time.perf_counter() - begin, reply["content"]["matches"]

        for _ in range(100):  # until the language server is warm
            if complete()[1]:
                break
            time.sleep(0.3)
        else:
            print(f"{name}: no completion within 30 s", file=sys.stderr)
            return rows
        repeat("completion, warm", lambda: complete()[0])
    finally:
        kc.stop_channels()
        km.shutdown_kernel()
    return rows


with tempfile.TemporaryDirectory() as folder:
    plain_gonb(folder)
    os.environ["JUPYTER_PATH"] = folder + os.pathsep + os.environ.get("JUPYTER_PATH", "")
    os.environ["METAMERS_KERNEL_HISTORY"] = "-"
    names = args.kernels.split(",")
    known = KernelSpecManager().find_kernel_specs()
    for name in names:
        if name not in known:
            sys.exit(f"no kernel {name!r}; there are {', '.join(sorted(known))}")
    before = os.getloadavg()[0]
    tables = {name: measure(name) for name in names}
    whats = list(dict.fromkeys(w for t in tables.values() for w in t))
    print(f"seconds: median (smallest–largest) of {args.repeat}; load average {before:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors\n")
    print("| | " + " | ".join(names) + " |\n|---" + "|---" * len(names) + "|")
    for what in whats:
        cells = []
        for name in names:
            v = tables[name].get(what)
            cells.append(f"{statistics.median(v):.3f} ({min(v):.3f}–{max(v):.3f})" if v else "–")
        print(f"| {what} | " + " | ".join(cells) + " |")
