"""The notebooks with models of ImageNet: the cell that each proposes for that (a Markdown
cell "imagenet") takes the place of the one above it."""
import base64
import os
import re
import struct
import subprocess

# What stands in for a model whose weights are not here: the same network, trained by others.
INSTEAD = {"squeezenet1_0": "squeezenet"}
NAME = re.compile(r'"((?:squeezenet|vit)[a-z0-9_.]*)"')


def proposed(book):
    """The code of a notebook's cell "imagenet"; None where it has none."""
    for cell in book.cells:
        if cell.get("id") == "imagenet":
            found = re.search(r"```go\n(.*?)\n```", cell.source, re.S)
            return found and found.group(1)
    return None


def models(program, names):
    """By name what is used for it; None where neither is here."""
    def here(name):
        return subprocess.run([program, "models", "check", "--quiet", name], capture_output=True).returncode == 0
    return {n: next((m for m in (n, INSTEAD.get(n)) if m and here(m)), None) for n in names}


def swap(book, use):
    """Puts the proposed cell in its place, with the models that are here and, unless METAMERS_LONG is set, with fewer images and with as many steps as it takes for the first switch of models."""
    code = NAME.sub(lambda m: f'"{use[m.group(1)]}"', proposed(book))
    if not os.environ.get("METAMERS_LONG"):
        code = re.sub(r"photos:\d+", "photos:4", re.sub(r"Steps: \d+", "Steps: 12", code))
    at = next(i for i, c in enumerate(book.cells) if c.get("id") == "imagenet") - 1
    if book.cells[at].cell_type != "code":
        raise ValueError("above the cell \"imagenet\" is no code")
    book.cells[at].source = code


def too_few(error):
    """Whether a cell ended with the error that four images are too few for what it shows."""
    return not os.environ.get("METAMERS_LONG") and ("need at least 16 images; this set has 4" in error or "They need at least 8 images (JSD 16)" in error)


def wrong(book):
    """What is wrong with the outputs: pictures and tables are of these models and hold something."""
    for i, cell in enumerate(book.cells):
        for o in cell.get("outputs", []):
            data = o.get("data", {})
            if "mm_c10" in str({k: v for k, v in data.items() if k.startswith("text")}):
                yield f"cell {i} shows models of CIFAR-10"
            if o.output_type != "execute_result":
                continue
            if "image/png" in data:
                png = base64.b64decode(data["image/png"])
                width, height = struct.unpack(">II", png[16:24])
                if width < 300 or height < 100 or len(png) < 5000:
                    yield f"cell {i} shows a picture of {width}×{height} pixels in {len(png)} bytes"
            elif data.get("text/html", "").count("<tr") < 2:
                yield f"cell {i} shows a table without rows"
