"""All runs as one tidy table, for whatever people analyse tables with."""

from pathlib import Path
from typing import Final

from benchharness import store
from benchharness.analysis.lookup import lookup
from benchharness.io.files import replacing
from benchharness.table import Tables

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

`measured_here`: the cell is no part of the table as it came, but was trained on the machine that wrote this."""


def write(results: Path, out: Path, tables: Tables) -> int:
    """Write every run under `results` to `out` (.csv or .parquet), a row per run and benchmark data set.

    Returns the number of rows. Without `tables` the accuracies are missing.
    """
    frame = lookup(store.read(results), tables)[list(COLUMNS)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")
    return len(frame)
