#!/usr/bin/env python3
"""Latencies of the kernel and of plain GoNB on the same cells, as a table.

    bin=$(go run ./kernel lab --setup-only)
    $bin/python bench/kernel/latency.py [--repeat 20] [--kernels metamers-go,gonb]

Every edited cell is new, so that no cache knows its program. Plain GoNB gets the
same binaries of gonb, goimports and gopls, the environment of this process, and
cells with "%%", whose plots it is given as PNG (gonbui), and for them the module files of
this checkout; where it lacks something the entry is a dash. The load average is
printed: on a busy machine the numbers are those of a busy machine.

Of the kit: a study of four single models at three stages is carried out first, in a
store and with an engine of this script's own. An edited plot is Figure 3 of some of these
sets in some order; an edited model set two of the models, in an order and with a seed
that no run has, and its time that until the first step is shown (then it is
interrupted).
"""

import argparse
import glob
import itertools
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


MODELS = ["plain7_48.mm_c10", "resnet8_48.mm_c10", "plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"]


def cell(sets, rest="", stages=""):
    """A cell that carries a plan of these sets out, and shows its curves."""
    text = ", ".join("{" + ", ".join(f'"{m}"' for m in s) + "}" for s in sets)
    return f"""p := mk.Plan{{Images: "photos:16", Size: 32, Sets: [][]string{{{text}}}, {stages}
	Observers: []string{{"plain7*", "resnet8*"}}, Settings: mk.Settings{{Steps: 60{rest}}}}}
mk.Must(mk.Study(p)).Recognizability()"""


def progress(km, kc, code):
    """Until the first progress is shown; the cell is interrupted then."""
    begin = time.perf_counter()
    msg = kc.execute(code, allow_stdin=False)
    took = None
    while True:
        m = kc.get_iopub_msg(timeout=120)
        if m["parent_header"].get("msg_id") != msg:
            continue
        if m["msg_type"] in ("display_data", "update_display_data") and took is None and "<progress value" in m["content"]["data"]["text/html"]:
            took = time.perf_counter() - begin
            km.interrupt_kernel()
        if m["msg_type"] == "execute_result":
            raise RuntimeError(f"{code!r} was over before it was interrupted")
        if m["msg_type"] == "status" and m["content"]["execution_state"] == "idle":
            break
    while kc.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != msg:
        pass
    return took


def plainly(code):
    """The cell for plain GoNB, which shows no values."""
    head, _, last = code.rpartition("\n")
    return f"%%\n{head}\ngonbui.DisplayPng(mk.Must(mk.Must({last}).PNG(0)))"


def kit(km, kc, repeat, plain):
    """Cells that use metamerkit."""
    module, checkout = "github.com/ensemble-metamers/metamers", Path(__file__).resolve().parents[2]
    written = plainly if plain else lambda code: code
    if plain:
        execute(kc, f"!*cp {checkout}/go.sum . && (echo module cells; tail -n +2 {checkout}/go.mod; echo 'require {module} v0.0.0'; echo 'replace {module} => {checkout}') >go.mod")
        execute(kc, 'import "github.com/janpfeifer/gonb/gonbui"')
    execute(kc, f'import mk "{module}/metamerkit"')
    show = lambda sets: execute(kc, written(cell([[m] for m in sets])))
    show(MODELS)
    orders = [p for n in (2, 3, 4) for p in itertools.permutations(MODELS, n) if list(p) != MODELS]
    random.shuffle(orders)
    show(orders.pop())
    repeat("edited cell, a plot from rows that are there", lambda: show(orders.pop()))
    show(MODELS)
    repeat("unchanged cell, a plot from rows that are there", lambda: show(MODELS))
    if plain:
        return
    pairs = [list(p) for p in itertools.permutations(MODELS, 2)]
    seeds = itertools.count(random.randrange(1 << 30))
    new = lambda: cell([random.choice(pairs)], f", Seed: {next(seeds)}", 'Stages: []string{"late"},')
    progress(km, kc, new())
    repeat("edited model set, first progress", lambda: progress(km, kc, new()))


def measure(name):
    rows = {}

    def repeat(what, f, times=args.repeat):
        rows[what] = [f() for _ in range(times)]
        print(f"{name}: {what}: median {statistics.median(rows[what]):.3f} s", file=sys.stderr)

    def ready(code=None):
        begin = time.perf_counter()
        km = KernelManager(kernel_name=name)
        km.start_kernel(stderr=open(os.devnull, "w"))
        kc = km.client()
        kc.start_channels()
        kc.wait_for_ready(timeout=60)
        if code:
            execute(kc, code)
        took = time.perf_counter() - begin
        kc.stop_channels()
        km.shutdown_kernel()
        return took

    draw = lambda: random.randrange(1 << 40)
    line = "" if name == "metamers-go" else "%%%%\n"
    line += "fmt.Println(%d)"
    repeat("ready after start", ready)
    repeat("first cell after start", lambda: ready(line % draw()))
    km = KernelManager(kernel_name=name)
    km.start_kernel(stderr=open(os.devnull, "w"))
    kc = km.client()
    kc.start_channels()
    kc.wait_for_ready(timeout=60)
    try:
        execute(kc, line % draw())
        repeat("edited cell, a printed line", lambda: execute(kc, line % draw()))
        same = line % draw()
        execute(kc, same)
        repeat("unchanged cell", lambda: execute(kc, same))
        if name == "metamers-go":
            repeat("edited cell, a variable", lambda: execute(kc, f"x := {draw()}"))
            repeat("edited cell, its value", lambda: execute(kc, f"{draw()} + 1"))
            picture = 'm := image.NewGray(image.Rect(0, 0, 200, 200))\nm.Pix[%d] = 255\nm'
            execute(kc, picture % 1)
            repeat("edited cell, a picture", lambda: execute(kc, picture % (draw() % 40000)))
        kit(km, kc, repeat, name != "metamers-go")
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
    os.environ |= {"METAMERS_RUNS": folder + "/runs", "METAMERS_ENGINE_DIR": folder + "/engine", "METAMERS_ENGINE_IDLE": "5s"}
    if "METAMERS_PROGRAM" not in os.environ:  # which the kernel names for its cells
        os.environ["METAMERS_PROGRAM"] = str(Path(os.environ.get("METAMERS_CACHE") or Path.home() / ".cache/metamers") / "kernel/bin/metamers")
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
