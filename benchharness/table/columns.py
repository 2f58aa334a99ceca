"""A table as columns, one row an architecture: what their names are, and writing them for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.npz import replacing
from benchharness.table.figures import DATASETS, EPOCHS, Figure
from benchharness.table.table import Table

if TYPE_CHECKING:
    import pandas as pd

FIGURES: Final = {
    Figure(dataset, split, epochs): f"{dataset}_{split}_{epochs}".replace("-", "_")
    for epochs in EPOCHS
    for dataset in DATASETS
    for split in (("valid", "test", "test-halftrain") if dataset == "cifar10" else ("valid", "test"))
}
SEEDS: Final = {figure: f"{name}_by_seed" for figure, name in FIGURES.items()}
"""Single training runs: a list, or in CSV numbers separated by spaces, where `nan` stands for a run that is missing."""
SECONDS: Final = {
    (dataset, epochs): f"train_seconds_{epochs}_{name}"
    for epochs in EPOCHS
    for dataset, name in zip(DATASETS, ("cifar10_valid", "cifar100", "imagenet16_120"), strict=True)
}
COSTS: Final = ("params_m", "flops_m")
NAMES: Final = ("index", "arch", *COSTS, *FIGURES.values(), *SEEDS.values(), *SECONDS.values())
"""Every column there is; only `arch` and one figure are needed."""
SUFFIXES: Final = (".csv", ".json", ".parquet")


def frame(table: Table) -> "pd.DataFrame":
    """The whole of `table` as columns called by `NAMES`."""
    import pandas as pd  # 0.3 s, and only needed for files of this kind

    columns: dict[str, Any] = {
        "index": table.numbers,
        "arch": [space.to_string(tuple(row)) for row in table.ops.tolist()],
        "params_m": table.params_m(),
        "flops_m": table.flops_m(),
    }
    columns |= {FIGURES[figure]: column for figure, column in table.means.items()}
    columns |= {SEEDS[figure]: _listed(runs) for figure, runs in table.by_seed.items()}
    columns |= {SECONDS[key]: column for key, column in table.times.items()}
    return pd.DataFrame(columns)


def write(table: Table, path: Path) -> int:
    """Write `table` to a .csv, .json or .parquet file, replacing it only once it is whole, and return its rows.

    Raises `UserError` for a name that ends in none of these.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{str(path)!r} ends in none of {', '.join(SUFFIXES)}")
    held = frame(table)
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            held.to_parquet(temporary, index=False)
        elif path.suffix == ".json":
            held.to_json(temporary, orient="records", double_precision=15)
        else:
            texts = {
                name: [" ".join(map(repr, runs)) for runs in held[name]] for name in SEEDS.values() if name in held
            }
            held.assign(**texts).to_csv(temporary, index=False)
    return len(held)


def _listed(runs: Any) -> list[list[float]]:
    """Runs as lists; those that are missing are left out where no later one is there, so that places keep their run."""
    last = [np.flatnonzero(~np.isnan(row)).max(initial=-1) for row in runs]
    return [row[: end + 1].tolist() for row, end in zip(runs, last, strict=True)]
