"""All runs as one tidy table, for whatever people analyse tables with."""

from pathlib import Path
from typing import Final

from benchharness import store
from benchharness.report import lookup
from benchharness.store.files import replacing
from benchharness.table import Table

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
    *("arch", "images_label", "split", *store.MEASURES, *store.COSTS, "device"),
    *("benchmark_dataset", "valid", "test", "regret", "rank", "percentile"),
)
"""Accuracies in percent; `valid`, `test` after 200 epochs, mean over training seeds; `regret` in points of `test`."""


def write(results: Path, out: Path, table: Table | None) -> int:
    """Write every run under `results` to `out` (.csv or .parquet), a row per run and benchmark data set.

    Returns the number of rows. Without a `table` the accuracies are missing.
    """
    frame = lookup(store.read(results), table)[list(COLUMNS)]
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n")
    return len(frame)
