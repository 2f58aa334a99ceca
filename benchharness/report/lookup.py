"""Looking derived cells up: the reading side's first step, done again whenever a better table is installed."""

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from benchharness import space
from benchharness.table import DATASETS, Figure, Table
from benchharness.table.table import codes

EPOCHS: Final = 200
"""Training epochs of every accuracy that a report quotes, unless it says otherwise."""


def lookup(frame: pd.DataFrame, table: Table | None) -> pd.DataFrame:
    """One row per run of `frame` (as `results` gives it) and benchmark data set: what the derived cell reaches.

    Adds `benchmark_dataset`, `valid` and `test` (percent, 200 epochs, mean over training seeds), and of the test figure
    `regret` (points below the optimum), `rank` (1 is best) and `percentile`. They are NaN where a run has derived no
    cell yet, the table does not hold it, or there is no table.
    """
    found = codes_of(frame["arch"])
    return pd.concat([_on(frame, found, table, dataset) for dataset in DATASETS], ignore_index=True)


def codes_of(archs: "pd.Series[str]") -> Int[np.ndarray, "runs"]:
    """The code of each architecture string; -1 where there is none."""
    known = {arch: space.to_code(space.from_string(arch)) for arch in archs.dropna().unique() if arch}
    return np.array([known.get(arch, -1) for arch in archs], dtype=int)


def by_code(table: Table | None, dataset: str, split: str, epochs: int = EPOCHS) -> Float[np.ndarray, "archs"]:
    """A figure of all 15,625 architectures in order of their code, in percent; NaN where the table does not hold it."""
    column = np.full(space.SIZE, np.nan)
    if table is not None and Figure(dataset, split, epochs) in table.figures():
        column[codes(table.ops)] = table.accuracy(None, dataset, split, epochs)
    return column


def _on(frame: pd.DataFrame, archs: Int[np.ndarray, "runs"], table: Table | None, dataset: str) -> pd.DataFrame:
    columns = {split: by_code(table, dataset, split) for split in ("valid", "test")}
    figures = {split: np.where(archs >= 0, column[archs], np.nan) for split, column in columns.items()}
    held = np.isfinite(figures["test"])
    for name in ("regret", "rank", "percentile"):
        figures[name] = np.full(len(frame), np.nan)
        if table is not None and held.any():
            figures[name][held] = getattr(table, name)(table.indices(archs[held]), dataset, "test", EPOCHS)
    return frame.assign(benchmark_dataset=dataset, **figures)
