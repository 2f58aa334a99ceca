"""Tables as CSV, JSON or Parquet: a row an architecture, its columns called as in `benchharness.table.columns`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError, unknown
from benchharness.io.archives import DAMAGE
from benchharness.table import frames, nas_bench_201
from benchharness.table.build import build_table
from benchharness.table.columns import COSTS, NAMES, NETWORK, figures_in, is_column, runs_in, same, seconds_in
from benchharness.table.frames import floats
from benchharness.table.metric import Metric
from benchharness.table.notation import is_naslib, read_cell
from benchharness.table.table import Table

if TYPE_CHECKING:
    import pandas as pd

LAYOUT: Final = "a table as CSV, JSON or Parquet with columns arch, cifar10_valid_200, ... (others by `--map`)"
_BENCHMARK: Final = {"index", "arch", "params_m", "flops_m", "cifar10_valid_200", "cifar10_test_200"}
"""Columns by which a file is taken for the whole benchmark, which it then has to be."""
_RUNS_LIMIT: Final = 16
_UNTAUGHT: Final = {dataset: 100 / network.classes for dataset, network in space.NETWORKS.items()}
"""Percent that a network reaches which has learnt nothing."""


def recognises(path: Path) -> str | None:
    """`nas-bench-201` where `path` has all its columns, the file's own name where it has some, else None."""
    names = names_in(path, is_column)
    if names >= _BENCHMARK:
        return nas_bench_201.NAME
    return frames.stem(path) if names & {"arch", "index"} and figures_in(names) else None


def names_in(path: Path, is_known: Callable[[str], bool]) -> set[str]:
    """The names of the columns of the file at `path`; none if it is no such file, too large or damaged.

    A file is read as frames of columns that are known; see `frames.names`.
    """
    if not is_readable(path) or path.stat().st_size > frames.LIMIT_BYTES:
        return set()
    try:
        return frames.names(path, is_known)
    except (*DAMAGE, ValueError):
        return set()


def is_readable(path: Path) -> bool:
    """Whether `path` is a CSV, JSON or Parquet file by its name."""
    return bool(frames.form(path)) and path.is_file()


def read_source(path: Path) -> Table:
    """The table in the file at `path`; raises `UserError` if it is not as its columns say."""
    return read_as(path, recognises(path) or frames.stem(path))


def read_as(path: Path, name: str, columns: Mapping[str, str] | None = None) -> Table:
    """The table in the file at `path` under another `name`; `columns` gives the file's own names for ours.

    Architectures are those of the column `arch`, in any spelling, else those that the benchmark numbers as in the
    column `index`. Raises `UserError` if a column is missing or none of ours, a value is none, costs are not those
    of the architectures, and, under the benchmark's name, if it is not the benchmark, whole and unmixed.
    """
    columns = columns or {}
    mapped_names = set(columns.values())
    rows = _renamed(frames.read_frame(path, lambda name: name in mapped_names or is_column(name)), columns, path)
    numbers = numbers_in(rows, path)
    ops = ops_in(rows, numbers)
    names = [str(column) for column in rows]
    means = {key: floats(rows[column]) for key, column in figures_in(names).items()}
    runs = {key: _padded(rows[column]) for key, column in runs_in(names).items()}
    for key, values in (*means.items(), *runs.items()):
        _check_percent(key, values, path)
    description = {
        "name": name,
        "version": "1.1" if name == nas_bench_201.NAME else "1",
        "source": path.name,
        **_network(rows),
    }
    seconds = {key: floats(rows[column]) for key, column in seconds_in(names).items()}
    if set(COSTS) <= set(names):
        nas_bench_201.check_costs(ops, description, *(floats(rows[column]) for column in COSTS))
    notes = [*_numbering(rows, numbers, ops), *_parts(means, runs)]
    table = build_table(description | ({"note": "; ".join(notes)} if notes else {}), ops, means, runs, seconds)
    return nas_bench_201.checked(table)


def _renamed(rows: "pd.DataFrame", columns: Mapping[str, str], path: Path) -> "pd.DataFrame":
    for ours, theirs in columns.items():
        if not is_column(ours):
            raise unknown("column", ours, (*NAMES, "cifar10_test_200", "cifar10_valid_200"))
        if theirs not in rows:
            raise unknown(f"column of {path.name}", theirs, map(str, rows.columns))
    others = rows.drop(columns=[ours for ours in columns if ours in rows and ours not in columns.values()])
    renamed = others.rename(columns={theirs: ours for ours, theirs in columns.items()})
    if not {"arch", "index"} & set(renamed) or not figures_in(map(str, renamed)):
        problem = f"{path} has columns {', '.join(map(str, rows.columns[:12]))}"
        raise UserError(f"{problem}; it needs `arch` and a figure such as `cifar10_test_200` (say which with `--map`)")
    for first, second in same(map(str, renamed)):
        raise UserError(f"{path} has two columns of one figure: {first} and {second}")
    return renamed


def _network(rows: "pd.DataFrame") -> dict[str, Any]:
    """The size of the networks where it is stated, which is the same for every row."""
    if not set(NETWORK) <= set(rows):
        return {}
    sizes = {name.removeprefix("network_"): np.unique(floats(rows[name])) for name in NETWORK}
    if not all(len(size) == 1 and size[0] == np.floor(size[0]) for size in sizes.values()):
        raise UserError(f"columns {', '.join(NETWORK)} are to be whole numbers, the same in every row")
    return {"network": {key: int(size[0]) for key, size in sizes.items()}}


def numbers_in(rows: "pd.DataFrame", path: Path) -> Any:
    """The column `index`, None if it is missing; raises `UserError` if it is not one of indices."""
    if "index" not in rows:
        return None
    numbers = floats(rows["index"])
    if not ((numbers >= 0) & (numbers < space.SIZE) & (numbers == np.floor(numbers))).all():
        raise UserError(f"{path} has an index that is not a whole number of 0 to {space.SIZE - 1}")
    if len(np.unique(numbers)) < len(numbers):
        raise UserError(f"{path} has an index that comes twice")
    return numbers.astype(np.int64)


def ops_in(rows: "pd.DataFrame", numbers: Any) -> Any:
    """The architectures of every row, by the column `arch`, else by `numbers`."""
    if "arch" not in rows:
        return space.all_ops()[space.order()[numbers]]
    return np.array([read_cell(cell) for cell in rows["arch"]], np.uint8).reshape(-1, len(space.EDGES))


def _numbering(rows: "pd.DataFrame", numbers: Any, ops: Any) -> list[str]:
    """Notes for the reader on how the file names its architectures."""
    notes = []
    if "arch" in rows and numbers is not None:
        own_numbers = space.indices()[np.ravel_multi_index(tuple(ops.T), (len(space.OPS),) * len(space.EDGES))]
        if (wrong_count := int((own_numbers != numbers).sum())) > 0:
            rows_text = f"in {wrong_count:,} of {len(own_numbers):,} rows"
            notes.append(
                f"the file's column `index` is not the benchmark's {rows_text}; architectures are numbered anew"
            )
    if "arch" in rows and is_naslib(str(rows["arch"].iloc[0])):
        notes.append("architectures were given as NASLib's operation numbers")
    return notes


def _check_percent(metric: Metric, values: Any, path: Path) -> None:
    """Raise `UserError` if a column is of shares, or has values among them that no trained network has."""
    known_values = values[~np.isnan(values)]
    if known_values.size and known_values.max() <= 1:
        raise UserError(f"{path} has accuracies of at most 1 for {metric}; they are to be in percent")
    least = 0.75 * _UNTAUGHT.get(metric.dataset, 0)
    if (low := known_values[known_values < least]).size:
        problem = f"{metric} has {low[0]:g} in {path}, where a network that learnt nothing has"
        raise UserError(f"{problem} {_UNTAUGHT[metric.dataset]:.2f}: give percent, and leave what is missing empty")


def _padded(column: "pd.Series[Any]") -> Any:
    """Lists of one to a few values, or texts of them, as one array, NaN if a list is shorter."""
    try:
        lists = [row.strip("[]").replace(",", " ").split() if isinstance(row, str) else row for row in column]
        runs = [np.array(row, float).reshape(-1) for row in lists]
    except (ValueError, TypeError) as error:
        raise UserError(f"column {column.name!r} is not of lists of numbers: {str(error)[:80]}") from None
    array = np.full((len(runs), max((len(values) for values in runs), default=0)), np.nan)
    if array.shape[1] > _RUNS_LIMIT:
        raise UserError(f"column {column.name!r} has {array.shape[1]} training runs; at most {_RUNS_LIMIT} are read")
    for row, values in zip(array, runs, strict=True):
        row[: len(values)] = values
    return array


def _parts(means: dict[Metric, Any], by_seed: dict[Metric, Any]) -> list[str]:
    """Notes for metrics that are not the mean of the single runs in the same file."""
    return [
        f"for {count} architectures {key} is the mean of a part of the released runs"
        for key, runs in by_seed.items()
        if key in means and (count := int((np.abs(np.nanmean(runs, axis=1) - means[key]) > 1e-4).sum()))
    ]
