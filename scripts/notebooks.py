"""Executes the notebooks and checks what is committed; see notebooks.sh."""
import argparse
import os
import re
import sys
import time
from pathlib import Path

import imagenet
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

a = argparse.ArgumentParser(description=__doc__)
a.add_argument("--write", action="store_true", help="keep the outputs of this run")
a.add_argument("--imagenet", action="store_true", help="with models of ImageNet, where their weights are")
a.add_argument("--out", type=Path, help="folder to write what came into, to look at")
a.add_argument("notebooks", nargs="*", type=Path)
a = a.parse_args()
FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
PRIVATE = re.compile(r"/(home|root|tmp|work|Users)/")


def kinds(cell):
    """What a cell shows: a name for each output, progress left out."""
    out = []
    for o in cell.get("outputs", []):
        if o.output_type in ("execute_result", "display_data"):
            if "done in" not in o.data.get("text/plain", ""):
                out.append(f"{o.output_type} {sorted(o.data)}")
        elif o.output_type == "error":
            out.append(f"error {o.evalue}")
    return out


def tidy(book):
    """Leaves out what differs from run to run and says nothing: times, messages of set-up."""
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = [o for o in cell.outputs if not (o.output_type == "stream" or o.output_type == "display_data" and "done in" in o.data.get("text/plain", ""))]


def committed(path, book):
    """What is wrong with a notebook as it lies there."""
    for i, cell in enumerate(book.cells):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            yield f"cell {i} has not been run"
        for o in cell.outputs:
            if o.output_type == "error":
                yield f"cell {i} ended with an error: {o.evalue}"
            text = str(o.get("text", "")) + str({k: v for k, v in o.get("data", {}).items() if k.startswith("text")})
            if PRIVATE.search(text):
                yield f"cell {i} shows a path of one machine: {PRIVATE.search(text).group()}…"
            if "<script" in text or "application/javascript" in o.get("data", {}):
                yield f"cell {i} needs JavaScript"


paths = a.notebooks or sorted(FOLDER.glob("*.ipynb"))
use = {}
if a.imagenet:
    a.write = False
    with_cell = [p for p in paths if imagenet.proposed(nbformat.read(p, as_version=4))]
    if not with_cell:
        sys.exit("no notebook proposes models of ImageNet")
    paths = with_cell
    program = Path(KernelSpecManager().get_kernel_spec("metamers-go").argv[0]).parent / "metamers"
    use = imagenet.models(program, {n for p in paths for n in imagenet.NAME.findall(imagenet.proposed(nbformat.read(p, as_version=4)))})
    if missing := [n for n, m in use.items() if m is None]:
        print(f"notebooks with models of ImageNet: SKIPPED: no weights of {', '.join(missing)} (metamers models pull, or METAMERS_DATA)", file=sys.stderr)
        sys.exit(bool(os.environ.get("METAMERS_REQUIRE_DATA")))
    print("models of ImageNet: " + ", ".join(m if m == n else f"{m} for {n}" for n, m in use.items()), flush=True)
bad = 0
for path in paths:
    book = nbformat.read(path, as_version=4)
    before = [kinds(c) for c in book.cells]
    problems = [] if a.write else list(committed(path, book))
    if a.imagenet:
        imagenet.swap(book, use)
    start, refused = time.monotonic(), False
    try:
        NotebookClient(book, timeout=1500, kernel_name=book.metadata.kernelspec.name, resources={"metadata": {"path": str(FOLDER)}}).execute()
    except CellExecutionError as e:
        refused = a.imagenet and imagenet.too_few(str(e))
        if not refused:
            problems.append(str(e)[-1500:])
    after = [kinds(c) for c in book.cells]
    if not a.write and not problems and not refused:
        problems += [f"cell {i} shows {n}, committed is {b}: stale" for i, (b, n) in enumerate(zip(before, after)) if b != n]
    if a.imagenet and not problems:
        problems += imagenet.wrong(book)
    tidy(book)
    if a.out:
        a.out.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, a.out / path.name)
    problems += [] if not a.write else [p for p in committed(path, book)]
    for p in problems:
        print(f"{path.name}: {p}", file=sys.stderr)
    bad += bool(problems)
    if a.write and not problems:
        nbformat.write(book, path)
    print(f"{path.name}: {'failed' if problems else 'ok, refused for too few images' if refused else 'ok'}, {time.monotonic() - start:.0f} s", flush=True)
sys.exit(bad > 0)
