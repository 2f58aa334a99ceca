"""Looks derived cells up in a table; done anew by every report, so that a better table takes effect."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from benchharness import space, store
from benchharness.table import DATASETS, Metric, Table, Tables, table_of
from benchharness.table.table import codes

EPOCHS: Final = 200
"""Training epochs named in texts if there is no table: those of NAS-Bench-201."""


def epochs_of(table: Table | None, dataset: str) -> int:
    """Training epochs behind the accuracies of `dataset` in `table`."""
    return table.epochs(dataset) if table is not None and dataset in table.datasets else EPOCHS


def lookup(frame: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """One row per run of `frame` (as `results` gives it) and benchmark data set: what the derived cell reaches.

    A cell searched on one of NAS-Bench-201's data sets is looked up on all three, any other on its own alone. Adds
    `benchmark_dataset`, `table_epochs`, `valid` and `test` (percent, after so many epochs, mean over training seeds),
    of the test figure `regret` (points below the table's optimum), `rank` (1 is best) and `percentile`, and whether
    this machine measured the cell besides the table (`measured_here`). Accuracies are NaN if a run has derived no
    cell yet, the table does not hold it, or there is no table.
    """
    codes, searched_on = codes_of(frame["arch"]), frame["dataset"]
    on_benchmark = searched_on.isin(DATASETS).to_numpy(bool)
    groups = [(dataset, on_benchmark) for dataset in DATASETS] if on_benchmark.any() or frame.empty else []
    groups += [(name, (searched_on == name).to_numpy(bool)) for name in sorted(set(searched_on) - set(DATASETS))]
    return pd.concat([_on(frame[rows], codes[rows], tables, name) for name, rows in groups], ignore_index=True)


def lookup_run(folder: Path, tables: Tables) -> "pd.Series[Any]":
    """The run in `folder`, looked up on the data set that it searched: its row of `lookup`."""
    return lookup(store.read(folder), tables).query("benchmark_dataset == dataset").iloc[0]


def codes_of(archs: "pd.Series[str]") -> Int[np.ndarray, "runs"]:
    """The code of each architecture string; -1 if it is missing."""
    positions, distinct = pd.factorize(archs)  # gives -1 for missing ones
    codes = [space.to_code(space.from_string(arch)) if arch else -1 for arch in distinct]
    return np.array([*codes, -1], dtype=int)[positions]


def by_code(
    tables: Tables, dataset: str, split: str, epochs: int | None = None, own: bool = False
) -> Float[np.ndarray, "archs"]:
    """The accuracies of all 15,625 architectures in order of their code, in percent; NaN if the table lacks them.

    After the most `epochs` that the table holds for the data set, unless given. With `own`, without
    the cells that this machine has added: searches found these, so they would spoil what is said of cells at large.
    """
    column, table = np.full(space.SIZE, np.nan), table_of(tables, dataset)
    metric = Metric(dataset, split, epochs_of(table, dataset) if epochs is None else epochs)
    if table is not None and metric in table.means:
        column[codes(table.ops)] = np.where(own & table.measured_here, np.nan, table.means[metric])
    return column


def _on(frame: pd.DataFrame, archs: Int[np.ndarray, "runs"], tables: Tables, dataset: str) -> pd.DataFrame:
    table = table_of(tables, dataset)
    columns = {split: by_code(tables, dataset, split) for split in ("valid", "test")}
    figures = {split: np.where(archs >= 0, column[archs], np.nan) for split, column in columns.items()}
    is_known = np.isfinite(figures["test"])
    indices = space.indices()[archs[is_known]]
    for name in ("regret", "rank", "percentile"):
        figures[name] = np.full(len(frame), np.nan)
        if table is not None and is_known.any():
            figures[name][is_known] = getattr(table, name)(indices, dataset, "test")
    measured_here = np.zeros(len(frame), bool)
    if table is not None and is_known.any():
        measured_here[is_known] = table.measured_here[table.rows(indices)]
    of = {"benchmark_dataset": dataset, "table_epochs": np.full(len(frame), epochs_of(table, dataset))}
    return frame.assign(**of, **figures, measured_here=measured_here)  # type: ignore[arg-type]


def trainable(table: Table | None) -> str:
    """Clause that says which command trains cells that `table` lacks; empty if none does."""
    has_recipe = table is not None and "recipe" in table.about
    return "; the command that made the runs, given again without --no-training, trains them" if has_recipe else ""
