"""Metamers of neural networks, from Python.

    import metamers
    run = metamers.synthesize(["plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"], images, "late")
    run.metamers       # float32 [N, S, S, 3] in [0, 1]
    run.statistics     # one row for each image and network
    rows = metamers.evaluate(run, observers=["vit_4_96.mm_c10"])

The work is done by the program ``metamers``, in a process of its own. It is found in
METAMERS_PROGRAM, on PATH, or in the folder bin of the repository.
"""

from ._arrays import as_uint8
from ._program import Error, program
from ._runs import Run, read_rows, read_run
from ._torch import add_torch_model
from ._work import evaluate, synthesize

__all__ = ["Error", "Run", "add_torch_model", "as_uint8", "evaluate", "program", "read_rows", "read_run", "synthesize"]
