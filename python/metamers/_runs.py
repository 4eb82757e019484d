"""Reads runs and rows."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from ._arrays import load


@dataclass(frozen=True)
class Run:
    """A finished run: the metamers of a set of images, and how well they match."""

    path: Path
    """Folder of the run."""
    recipe: dict = field(repr=False)
    """All settings that determine the run: models, stage, images, optimizer, seed, versions."""
    metamers: np.ndarray = field(repr=False)
    """Float32 [N, S, S, 3] in [0, 1]."""
    references: np.ndarray | None = field(repr=False)
    """Likewise; None if this module did not make the run."""
    start: np.ndarray = field(repr=False)
    """The initial images, likewise."""
    statistics: pd.DataFrame = field(repr=False)
    """One row for each image and member: loss (relative L2), pearson, spearman, snr (dB),
    sameClass, verdict (pass, fail or not tested) and the empirical p of each statistic."""
    nulls: pd.DataFrame = field(repr=False)
    """One row for each member: the largest pearson, spearman and snr of the null set's pairs."""
    trace: pd.DataFrame = field(repr=False)
    """Losses during the run."""
    against: pd.DataFrame = field(repr=False)
    """As statistics, for each model of ``against``; empty for other runs."""

    @property
    def id(self) -> str:
        """The hash of the recipe."""
        return self.path.name

    @property
    def passes(self) -> np.ndarray:
        """Bool [N]: whether each image is a metamer for every member."""
        return (self.statistics.groupby("image")["verdict"].agg(lambda v: (v == "pass").all())).to_numpy()

    def __repr__(self) -> str:
        models = " + ".join(m["name"] for m in self.recipe["models"])
        return f"Run {self.id}: {models} at {self.recipe['stage']}, {int(self.passes.sum())} of {len(self.metamers)} images pass"


def read_run(path: str | os.PathLike) -> Run:
    """Read a run from its folder.

    Raises:
        FileNotFoundError: The folder is no run, or a file of it is missing.
    """
    path = Path(path)
    if not (path / "recipe.json").is_file():
        raise FileNotFoundError(f"{path} is not the folder of a run: it has no recipe.json")
    recipe = json.loads((path / "recipe.json").read_text())
    evidence = json.loads((path / "evidence.json").read_text())
    return Run(
        path=path,
        recipe=recipe,
        metamers=load_file(path / "metamers.safetensors")["metamers"],
        references=load(Path(recipe["images"]["name"])),
        start=load_file(path / "start.safetensors")["start"],
        statistics=pd.DataFrame(evidence["evidence"]),
        nulls=pd.DataFrame(evidence["nulls"]),
        trace=pd.read_csv(path / "trace.csv"),
        against=pd.DataFrame(evidence.get("against", [])),
    )


NUMBERS = ["image", "value", "low", "high", "count", "steps", "seed"]
"""Columns of rows that hold numbers."""


def read_rows(path: str | os.PathLike) -> pd.DataFrame:
    """Read rows, as eval, reproduce and evaluate write them: one value of one measure each."""
    text = pd.read_csv(path, nrows=0).columns.difference([*NUMBERS, "member"])
    return pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={n: ["", "NaN"] for n in NUMBERS})
