"""Tables as CSV, JSON or Parquet: a row an architecture, its columns called as in `benchharness.table.columns`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError, unknown
from benchharness.io import arrow
from benchharness.table import nas_bench_201
from benchharness.table.build import build
from benchharness.table.columns import COSTS, NAMES, NETWORK, SUFFIXES, figures_in, known, runs_in, seconds_in
from benchharness.table.metric import Figure
from benchharness.table.table import Table

if TYPE_CHECKING:
    import pandas as pd

LAYOUT: Final = "a table as CSV, JSON or Parquet with columns arch, cifar10_valid_200, ... (others by `--map`)"
_BENCHMARK: Final = {"index", "arch", "params_m", "flops_m", "cifar10_valid_200", "cifar10_test_200"}
"""Whatever has these columns is taken for the benchmark, and has to be it."""
_ROWS_LIMIT: Final = 4 * space.SIZE
_RUNS_LIMIT: Final = 16
_LIMIT_BYTES: Final = 1 << 27


def recognises(path: Path) -> str | None:
    """`nas-bench-201` where `path` has all its columns, the file's own name where it has some, else None."""
    if path.suffix not in SUFFIXES or not path.is_file() or path.stat().st_size > _LIMIT_BYTES:
        return None
    try:
        names = _names(path)
    except (OSError, ValueError):
        return None
    if names >= _BENCHMARK:
        return nas_bench_201.NAME
    return path.stem if "arch" in names and figures_in(names) else None


def reads(path: Path) -> bool:
    """Whether `path` may be such a file, whatever its columns are called."""
    return path.suffix in SUFFIXES and path.is_file()


def read(path: Path) -> Table:
    """The table in the file at `path`; raises `UserError` where it is not as its columns say."""
    return read_as(path, recognises(path) or path.stem)


def read_as(path: Path, name: str, columns: Mapping[str, str] | None = None) -> Table:
    """The table in the file at `path` under another `name`; `columns` gives the file's own names for ours.

    Rows are numbered by the column `index`, or in their order where there is none. Raises `UserError` where a column
    is missing or none of ours, a value is none, costs are not those of the architectures, and, under the benchmark's
    name, where it is not the benchmark, whole and unmixed.
    """
    held = _renamed(_frame(path, columns or {}), columns or {}, path)
    whole = name == nas_bench_201.NAME
    numbers = _numbers(held, path, whole)
    held = held.iloc[np.argsort(numbers)]
    means = {key: _floats(held[column]) for key, column in figures_in(map(str, held)).items()}
    if means and max(np.nanmax(column, initial=0) for column in means.values()) <= 1:
        raise UserError(f"{path} has accuracies of at most 1; they are to be in percent")
    runs = {key: _padded(held[column]) for key, column in runs_in(map(str, held)).items()}
    table = build(
        {
            "name": name,
            "version": "1.1" if whole else "1",
            "source": path.name,
            **_notes(means, runs),
            **_network(held),
        },
        np.array([space.from_string(str(text)) for text in held["arch"]], np.uint8).reshape(-1, len(space.EDGES)),
        means,
        runs,
        {key: _floats(held[column]) for key, column in seconds_in(map(str, held)).items()},
        np.sort(numbers),
    )
    if set(COSTS) <= set(held):
        nas_bench_201.check_costs(table, *(_floats(held[column]) for column in COSTS))
    return nas_bench_201.checked(table)


def _names(path: Path) -> set[str]:
    """The columns' names, or for JSON those of ours that it mentions."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet  # 0.2 s, and only needed where a table is imported

        with arrow.reading():
            return set(parquet.read_schema(path).names)
    if path.suffix == ".csv":
        with path.open(encoding="utf-8") as file:
            return {text.strip(' "\r\n') for text in file.readline(1 << 16).split(",")}
    text = path.read_text(encoding="utf-8")
    keys = {"arch"} if text.lstrip("{ \r\n").startswith('"|') else set()
    return set(filter(known, re.findall(r'"([\w.+-]{1,200})"', text))) | keys


def _frame(path: Path, columns: Mapping[str, str]) -> "pd.DataFrame":
    import pandas as pd

    if path.stat().st_size > _LIMIT_BYTES:
        raise UserError(f"{path} is larger than {_LIMIT_BYTES} bytes; no table of this kind is")
    try:
        if path.suffix == ".parquet":
            with arrow.reading():
                found = _parquet(path, set(columns.values()))
        elif path.suffix == ".csv":
            found = pd.read_csv(path, nrows=_ROWS_LIMIT + 1)
        else:
            found = _json(path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise UserError(f"{path} cannot be read as {path.suffix[1:].upper()} ({told})") from None
    found.columns = pd.Index([" ".join(str(name).split())[:80] for name in found.columns])
    if not found.columns.is_unique:
        raise UserError(f"{path} has two columns of one name")
    if len(found) > _ROWS_LIMIT:
        raise UserError(f"{path} has {len(found)} rows; NAS-Bench-201 has {space.SIZE:,}")
    return found


def _parquet(path: Path, wanted: set[str]) -> Any:
    """Columns that are ours or `wanted` besides."""
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(path, read_dictionary=["arch"])
    held = file.metadata
    if held.num_rows > _ROWS_LIMIT:
        raise UserError(f"{path} has {held.num_rows} rows; NAS-Bench-201 has {space.SIZE:,}")
    for group in range(held.num_row_groups):
        chunks = [held.row_group(group).column(place) for place in range(held.row_group(group).num_columns)]
        # A value written once may stand for millions: what it takes in memory is not to be seen from the file's size.
        if any(
            chunk.num_values > _RUNS_LIMIT * _ROWS_LIMIT or chunk.total_uncompressed_size > _LIMIT_BYTES
            for chunk in chunks
        ):
            raise UserError(f"{path} is refused: it unpacks to more values than any table has")
    return file.read(columns=[name for name in file.schema_arrow.names if name in wanted or known(name)]).to_pandas()


def _json(path: Path) -> Any:
    """Rows as a list of objects, columns as an object of lists, or an object of rows by architecture."""
    import pandas as pd

    held = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(held, dict) and held and all(isinstance(row, dict) for row in held.values()):
        held = [{"arch": arch, **row} for arch, row in held.items()]
    return pd.DataFrame(held)


def _renamed(found: "pd.DataFrame", columns: Mapping[str, str], path: Path) -> "pd.DataFrame":
    for ours, theirs in columns.items():
        if not known(ours):
            raise unknown("column", ours, (*NAMES, "cifar10_test_200", "cifar10_valid_200"))
        if theirs not in found:
            raise unknown(f"column of {path.name}", theirs, map(str, found.columns))
    taken = found.drop(columns=[ours for ours in columns if ours in found and ours not in columns.values()])
    held = taken.rename(columns={theirs: ours for ours, theirs in columns.items()})
    if "arch" not in held or not figures_in(map(str, held)):
        told = f"{path} has columns {', '.join(map(str, found.columns[:12]))}"
        raise UserError(f"{told}; it needs `arch` and a figure such as `cifar10_test_200` (say which with `--map`)")
    return held


def _network(held: "pd.DataFrame") -> dict[str, Any]:
    """The size of the networks where it is stated, which is the same for every row."""
    if not set(NETWORK) <= set(held):
        return {}
    sizes = {name.removeprefix("network_"): np.unique(_floats(held[name])) for name in NETWORK}
    if not all(len(size) == 1 and size[0] == np.floor(size[0]) for size in sizes.values()):
        raise UserError(f"columns {', '.join(NETWORK)} are to be whole numbers, the same in every row")
    return {"network": {key: int(size[0]) for key, size in sizes.items()}}


def _numbers(held: "pd.DataFrame", path: Path, whole: bool) -> Any:
    numbers = _floats(held["index"]) if "index" in held else np.arange(len(held), dtype=float)
    if whole and not np.array_equal(np.sort(numbers), np.arange(space.SIZE)):
        raise UserError(f"{path} has {len(numbers)} rows; expected index 0 to {space.SIZE - 1}, each once")
    if not ((numbers >= 0) & (numbers < space.SIZE) & (numbers == np.floor(numbers))).all():
        raise UserError(f"{path} has an index that is not a whole number of 0 to {space.SIZE - 1}")
    return numbers.astype(np.int32)


def _floats(column: "pd.Series[Any]") -> Any:
    try:
        return column.to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise UserError(f"column {column.name!r} is not of numbers: {str(error)[:80]}") from None


def _padded(column: "pd.Series[Any]") -> Any:
    """Lists of one to a few values, or texts of them, as one array, NaN where a list is shorter."""
    try:
        runs = [np.array(row.split() if isinstance(row, str) else row, float).reshape(-1) for row in column]
    except (ValueError, TypeError) as error:
        raise UserError(f"column {column.name!r} is not of lists of numbers: {str(error)[:80]}") from None
    padded = np.full((len(runs), max((len(values) for values in runs), default=0)), np.nan)
    if padded.shape[1] > _RUNS_LIMIT:
        raise UserError(f"column {column.name!r} has {padded.shape[1]} training runs; at most {_RUNS_LIMIT} are read")
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
