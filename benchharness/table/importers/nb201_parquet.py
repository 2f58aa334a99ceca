"""NAS-Bench-201 as one Parquet file, a row an architecture, a column a figure (`cifar10_valid_200`, ...)."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import benchmark
from benchharness.table.build import build
from benchharness.table.figures import DATASETS, EPOCHS, Figure
from benchharness.table.table import Table

LAYOUT: Final = "NAS-Bench-201 as a Parquet file with columns index, arch, cifar10_valid_200, ..."
_COLUMNS: Final = {
    Figure(dataset, split, epochs): f"{dataset}_{split}_{epochs}".replace("-", "_")
    for epochs in EPOCHS
    for dataset in DATASETS
    for split in ("valid", "test", "test-halftrain")
}
_SECONDS: Final = {
    ("cifar10", 200): "train_seconds_200_cifar10_valid",
    ("cifar100", 200): "train_seconds_200_cifar100",
    ("imagenet16-120", 200): "train_seconds_200_imagenet16_120",
}
_NEEDED: Final = ("index", "arch", "params_m", "flops_m", "cifar10_valid_200", "cifar10_test_200")
_ROWS_LIMIT: Final = 4 * space.SIZE


def recognises(path: Path) -> str | None:
    """`nas-bench-201` where `path` is such a file, else None."""
    import pyarrow.parquet as parquet  # 0.2 s, and only needed where a table is imported

    if path.suffix != ".parquet" or not path.is_file():
        return None
    try:
        names = parquet.read_schema(path).names
    except (OSError, ValueError):
        return None
    return benchmark.NAME if set(_NEEDED) <= set(names) else None


def read(path: Path) -> Table:
    """The table in the file at `path`; raises `UserError` where it is not the complete, unmixed benchmark."""
    columns = _columns(path)
    numbers = columns["index"]
    if not np.array_equal(np.sort(numbers), np.arange(space.SIZE)):
        raise UserError(f"{path} has {len(numbers)} rows; expected index 0 to {space.SIZE - 1}, each once")
    columns = {name: values[np.argsort(numbers)] for name, values in columns.items()}
    by_seed = {key: f"{name}_by_seed" for key, name in _COLUMNS.items() if f"{name}_by_seed" in columns}
    means = {key: columns[name] for key, name in _COLUMNS.items() if name in columns}
    runs = {key: _padded(columns[name]) for key, name in by_seed.items()}
    table = build(
        {"name": benchmark.NAME, "version": "1.1", "source": path.name, **_notes(means, runs)},
        np.array([space.from_string(text) for text in columns["arch"]]),
        means,
        runs,
        {key: columns[name] for key, name in _SECONDS.items() if name in columns},
    )
    benchmark.check_costs(table, columns["params_m"], columns["flops_m"])
    return benchmark.checked(table)


def _columns(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path)
    if file.metadata.num_rows > _ROWS_LIMIT:
        raise UserError(f"{path} has {file.metadata.num_rows} rows; NAS-Bench-201 has {space.SIZE:,}")
    read = file.read()
    return {name: read[name].to_numpy(zero_copy_only=False) for name in read.column_names}


def _padded(runs: Any) -> Any:
    """Lists of one to a few values as one array, NaN where a list is shorter."""
    padded = np.full((len(runs), max(len(values) for values in runs)), np.nan)
    for row, values in zip(padded, runs, strict=True):
        row[: len(values)] = values
    return padded


def _notes(means: dict[Figure, Any], by_seed: dict[Figure, Any]) -> dict[str, str]:
    """Where a figure is not the mean of the single runs beside it, which its readers should know."""
    told = [
        f"for {count} architectures {key} is the mean of a part of the released runs"
        for key, runs in by_seed.items()
        if (count := int((np.abs(np.nanmean(runs, axis=1) - means[key]) > 1e-4).sum()))
    ]
    return {"note": "; ".join(told)} if told else {}
