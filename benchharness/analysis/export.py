"""Exports all runs as one tidy table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from benchharness import space, store
from benchharness.analysis.lookup import codes_of, lookup, trainable
from benchharness.errors import UserError
from benchharness.io.files import readable, replacing
from benchharness.table import DATASETS, Cost, Tables, table_of

COLUMNS: Final = (
    *(
        "suite",
        "dataset",
        "protocol",
        "epochs",
        "method",
        "trains",
        "selection",
        "seed",
        "run_id",
        "supernet",
        "status",
    ),
    *("arch", "images_label", "images_sha256", "split", *store.MEASURES, "measures_bn", *store.COSTS, "device"),
    *("benchmark_dataset", "valid", "test", "regret", "rank", "percentile"),
    *("table_epochs", "measured_here"),
)
"""Accuracies in percent; `valid`, `test` after `table_epochs`, mean over training seeds; `regret` in points of `test`.

`measured_here`: the cell is no part of the table as it came, but was trained besides, for these results."""


class Written(NamedTuple):
    """Result of `write_runs`."""

    rows: int
    missing: list[str]
    """A sentence for each data set on which derived cells have no accuracy."""


def write_frame(frame: pd.DataFrame, out: Path) -> None:
    """Write `frame` to `out` (.parquet, else CSV) without its index, replacing the file whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")


def write_scores(codes: np.ndarray, scores: Mapping[str, np.ndarray], out: Path) -> None:
    """Write the scores of the cells `codes` to `out`, a row per cell in the order of the benchmark's index."""
    archs = [space.to_string(space.from_code(int(code))) for code in codes]
    frame = pd.DataFrame({"index": space.indices()[codes], "arch": archs, **scores})
    write_frame(frame.sort_values("index"), out)


def write_runs(results: Path, out: Path, tables: Tables) -> Written:
    """Write every run under `results` to `out` (.csv or .parquet), a row per run and benchmark data set.

    Without `tables` the accuracies are missing. Raises `UserError` if `results` is not a folder or holds no run.
    """
    runs = store.read(results)
    if runs.empty:
        raise UserError(f"{readable(results)!r} holds no run to export; `benchharness run --out FOLDER` makes runs")
    frame = with_costs(lookup(runs, tables)[list(COLUMNS)], tables)
    write_frame(frame, out)
    return Written(len(frame), _missing(frame, tables))


def with_costs(frame: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """`frame` with a column `cost_NAME` for every latency and energy installed, where a cell was looked up.

    An odd value is left out, and its name is among those in `odd_costs`, separated by spaces.
    """
    table = table_of(tables, DATASETS[0])
    costs: dict[str, Cost] = dict(table.costs) if table is not None else {}
    if not costs:
        return frame
    codes, benchmark = codes_of(frame["arch"]), frame["benchmark_dataset"].isin(DATASETS).to_numpy(bool)
    is_cell = benchmark & (codes >= 0)
    rows_of_costs = space.indices()[codes[is_cell]]
    columns = {f"cost_{name}": np.full(len(frame), np.nan) for name in costs}
    for name, cost in costs.items():
        columns[f"cost_{name}"][is_cell] = cost.values[rows_of_costs]
    odd_names = np.full(len(frame), "", object)
    odd_names[is_cell] = [" ".join(name for name, cost in costs.items() if cost.odd[row]) for row in rows_of_costs]
    return frame.assign(**columns, odd_costs=odd_names)


def _missing(frame: pd.DataFrame, tables: Tables) -> list[str]:
    derived_runs = frame[frame["arch"].notna()]
    counts = derived_runs[derived_runs["test"].isna()].groupby("benchmark_dataset").size()
    sentences = []
    for dataset, count in counts.items():
        table = table_of(tables, str(dataset))
        if table is not None:
            of = int((derived_runs["benchmark_dataset"] == dataset).sum())
            sentences.append(
                f"{count} of {of} derived cells on {dataset} have no accuracy: table {table.about['name']!r} lacks them"
                f"{trainable(table)}"
            )
    return sentences
