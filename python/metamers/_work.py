"""Makes and evaluates runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ._arrays import checked, store
from ._program import call, flags
from ._runs import Run, read_rows, read_run


def synthesize(models: str | Sequence[str], images, stage: str, *, progress: bool = True, **settings) -> Run:
    """Make metamers of images for a set of models.

    Args:
        models: Names of the members (``metamers models`` lists them).
        images: Array [N, S, S, 3], uint8 or multiples of 1/255 in [0, 1].
        stage: early, middle, late, or the name of a layer.
        progress: Whether to write progress to sys.stderr.
        settings: Flags of ``metamers synth``, such as evaluations=400, paper=True, seed=1,
            null="photos:64" or store="runs".

    Returns:
        The run. A stored run with the same settings is returned at once.

    Raises:
        ValueError: images have another shape or range.
        Error: The program refused a setting, or failed.
        KeyboardInterrupt: The work was interrupted; the same call resumes it.
    """
    x = checked(images)
    names = [models] if isinstance(models, str) else list(models)
    args = ["synth", "--json", f"--models={','.join(names)}", f"--stage={stage}", f"--images={store(x)}", f"--size={x.shape[1]}"]
    args += ["--progress=lines"] if progress else ["--quiet"]
    return read_run(json.loads(call(args + flags(settings), progress))["Dir"])


def evaluate(runs: Run | Sequence[Run], *, progress: bool = True, **settings) -> pd.DataFrame:
    """Evaluate runs of one store: who recognises the metamers, how similar activations are.

    Args:
        runs: One run or several.
        progress: Whether to write progress to sys.stderr.
        settings: Flags of ``metamers eval``, such as observers=["resnet20"] or
            measures=["recognizability"].

    Returns:
        One row for each value, with the columns of ``metamers eval --out``.

    Raises:
        ValueError: The runs lie in several stores.
        Error: The program refused a setting, or failed.
    """
    runs = [runs] if isinstance(runs, Run) else list(runs)
    stores = {r.path.parent for r in runs}
    if len(stores) != 1:
        raise ValueError(f"the runs lie in {len(stores)} stores: expected one")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        args = ["eval", *(r.id for r in runs), f"--store={stores.pop()}", f"--out={rows}"]
        args += ["--progress=lines"] if progress else ["--quiet"]
        call(args + flags(settings), progress)
        return read_rows(rows)
