#!/usr/bin/env python3
"""Latency and memory of a session over many executions of edited cells, as a table.

    bin=$(go run ./kernel lab --setup-only)
    $bin/python bench/kernel/many.py [--cells 2000] [--block 100] [--cell TEXT]

Every cell is new: it sets a variable and prints it, or is TEXT, in which N is replaced by
a number. A row is a block of cells: the median of what they took in the front end, the
processor time of a cell (the session's process; kernel, compiler and linker), and the
resident memory of each process after the block.
"""

import argparse
import statistics
import time

import psutil
from jupyter_client.manager import start_new_kernel

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--cells", type=int, default=2000)
parser.add_argument("--block", type=int, default=100)
parser.add_argument("--cell", default="x := N\nfmt.Println(x)")
args = parser.parse_args()

said = []


def execute(kc, code):
    begin = time.perf_counter()
    reply = kc.execute_interactive(code, timeout=300, allow_stdin=False, output_hook=lambda m: said.append(m["content"].get("text", "")))
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"{code!r}: {reply['content']}")
    return time.perf_counter() - begin


def processes(km):
    """The kernel and all below it."""
    kernel = psutil.Process(km.provisioner.pid)
    return [kernel] + kernel.children(recursive=True)


def busy(km):
    """Processor time of the session's process, and of all others with those that ended."""
    host = others = 0
    for p in processes(km):
        t = p.cpu_times()
        if "host-" in p.name() or "host-" in " ".join(p.cmdline()):
            host += t.user + t.system
        else:
            others += t.user + t.system + t.children_user + t.children_system
    return host, others


km, kc = start_new_kernel(kernel_name="metamers-go", startup_timeout=600)
try:
    for i in range(3):
        execute(kc, f"warm := {i}\nfmt.Println(warm)")
    print("| executions | a cell | session, processor | others, processor | memory |\n|---|---|---|---|---|", flush=True)
    before = busy(km)
    for end in range(args.block, args.cells + 1, args.block):
        took = [execute(kc, args.cell.replace("N", str(i))) for i in range(end - args.block, end)]
        after = busy(km)
        host, others = ((a - b) / args.block for a, b in zip(after, before))
        before = after
        memory = ", ".join(f"{p.name()} {p.memory_info().rss >> 20}" for p in processes(km))
        print(f"| {end} | {statistics.median(took):.3f} | {host:.3f} | {others:.3f} | {memory} |", flush=True)
        for text in said:
            if "%restart" in text:
                print(text, end="", flush=True)
        said.clear()
finally:
    kc.stop_channels()
    km.shutdown_kernel(now=True)
