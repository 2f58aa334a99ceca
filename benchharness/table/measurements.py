"""Adds to a table the trainings of derived cells that it lacks; their files lie beside the results or in the package.

A file's name contains the checksum of its table, so accuracies of different recipes are never mixed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import ground_truth
from benchharness.io.ground_truth import Training
from benchharness.table.build import build_table
from benchharness.table.load import load_for
from benchharness.table.metric import DATASETS, Metric
from benchharness.table.table import Table, codes

_PACKAGED: Final = Path(__file__).parent
"""Folder with such a file for the embedded table: the cells of the default command, which need not be trained again."""


def measured_path(suite: Path, table: Table) -> Path:
    """Path of the file of trainings that `table` lacks for the results in the folder `suite`; it may not exist."""
    return suite / ground_truth.FOLDER / _file_name(table)


def tables_of(*results: Path, missing: Callable[[UserError], object] = lambda _: None) -> Callable[[str], Table | None]:
    """A function that gives the table of a data set, with the cells that were trained for `results`; None without one.

    If there is none, it calls `missing` with the reason, once per data set.
    """

    @cache
    def table(dataset: str) -> Table | None:
        """The table of one data set."""
        try:
            return with_measured(load_for(dataset), *results)
        except UserError as error:
            missing(error)
            return None

    return lambda dataset: table(DATASETS[0] if dataset in DATASETS else dataset)


def with_measured(table: Table, *results: Path) -> Table:
    """`table` with marked rows added for the cells trained for `results` (suites, folders of suites, or parts of them).

    Trainings in the package are added too. If one is in several files, the first counts.
    """
    journal_paths = [
        journal_path for root in results for journal_path in ground_truth.journals(root, _file_name(table))
    ]
    journal_paths.append(_PACKAGED / _file_name(table))
    trainings = [
        line
        for journal_path in dict.fromkeys(journal_paths)
        for line in ground_truth.read_trainings(journal_path)
        if _is_class(line.code)
    ]
    if not trainings:
        return table
    dataset = table.datasets[0]
    figures = {metric: metric.split.partition("-")[0] for metric in table.figures()}
    return with_added(table, tabulated(table.about, trainings, figures, (dataset, table.epochs(dataset))))


def tabulated(
    about: Mapping[str, Any], trainings: Iterable[Training], figures: Mapping[Metric, str], timed: tuple[str, int]
) -> Table:
    """A table of all members of the functional classes in `trainings`; classes may have different numbers of trainings.

    `figures` maps each metric to `valid` or `test` of a training; metrics without a training are left out. `timed` is
    the data set and the epochs to which the seconds belong.
    """
    by_code: dict[int, dict[int, Training]] = {}
    for line in trainings:
        by_code.setdefault(line.code, {}).setdefault(line.seed, line)
    first, classes = sorted(by_code), space.classes()
    members = np.flatnonzero(np.isin(classes, first))
    rows, runs = np.searchsorted(first, classes[members]), [list(by_code[code].values()) for code in first]
    values = {metric: _column(runs, name)[rows] for metric, name in figures.items()}
    by_seed = {metric: value for metric, value in values.items() if not np.isnan(value).all()}
    means = {metric: _mean(value) for metric, value in by_seed.items()}
    return build_table(about, space.all_ops()[members], means, by_seed, {timed: _mean(_column(runs, "seconds")[rows])})


def with_added(table: Table, added: Table) -> Table:
    """`table` followed by the rows of `added` that it lacks, with the figures that both have.

    `about` is that of `table`. Raises `UserError` if the networks of the two have different sizes.
    """
    if table.about.get("network") != added.about.get("network"):
        raise UserError(f"the trainings added to table {table.about['name']!r} are of networks of another size")
    is_new = ~np.isin(codes(added.ops), codes(table.ops))
    first, count = len(table), int(is_new.sum())
    if not count:
        return table
    return replace(
        table,
        ops=np.concatenate([table.ops, added.ops[is_new]]),
        means=_extended(table.means, added.means, is_new),
        by_seed=_extended(table.by_seed, added.by_seed, is_new),
        times=_extended(table.times, added.times, is_new),
        rows_measured_here=frozenset(range(first, first + count)),
    )


def _file_name(table: Table) -> str:
    return f"{table.about['name']}-{table.about['sha256'][:16]}.jsonl"


def _is_class(code: int) -> bool:
    return 0 <= code < space.SIZE and int(space.classes()[code]) == code


def _column(runs: list[list[Training]], name: str) -> Float[np.ndarray, "classes seeds"]:
    """A row per class, padded with NaN for classes with fewer trainings."""
    width = max(map(len, runs))
    values = [[getattr(line, name) for line in lines] + [None] * (width - len(lines)) for lines in runs]
    return np.array(values, np.float64)


def _mean(runs: Float[np.ndarray, "archs seeds"]) -> Float[np.ndarray, "archs"]:
    return np.asarray(np.ma.masked_invalid(runs).mean(-1).filled(np.nan))


def _extended(columns: Mapping[Any, Any], added: Mapping[Any, Any], is_new: Any) -> dict[Any, Any]:
    """Every column followed by the rows `is_new` of its counterpart; NaN if there is no counterpart."""
    return {
        key: _stacked(column, added[key][is_new] if key in added else np.empty((int(is_new.sum()), 0)))
        for key, column in columns.items()
    }


def _stacked(column: Any, below: Any) -> Any:
    """One array above another, the narrower padded with NaN."""
    if column.ndim == 1:
        return np.concatenate([column, below if below.ndim == 1 else np.full(len(below), np.nan)])
    width = max(column.shape[1], below.shape[1])
    blocks = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=np.nan) for part in (column, below)]
    return np.concatenate(blocks)
