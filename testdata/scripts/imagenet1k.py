"""Writes metamerkit/labels/imagenet1k.tsv: WordNet identifier and name of each of the 1000 classes of ILSVRC-2012, in order.

usage: imagenet1k.py FILE (made with torchvision 0.26.0, whose names they are, and timm 1.0.31, whose identifiers)
"""
import pathlib
import sys

import timm
from torchvision.models._meta import _IMAGENET_CATEGORIES as names

ids = (pathlib.Path(timm.__file__).parent / "data/_info/imagenet_synsets.txt").read_text().split()
assert len(ids) == len(names) == 1000 and ids == sorted(ids)
pathlib.Path(sys.argv[1]).write_text("".join(f"{i}\t{n}\n" for i, n in zip(ids, names)))
