"""Architectures that a table lacks and this machine has measured: a table of their own, kept beside the installed ones.

It belongs to one state of the table, whose checksum is part of its name: figures of another recipe are never mixed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.table.table import Table, codes


def measured_path(table: Table) -> Path:
    """Where what this machine has added to `table` is kept; the file may not be there."""
    return catalog.measured_folder() / f"{table.about['name']}-{table.about['sha256'][:16]}.npz"


def with_measured(table: Table) -> Table:
    """`table` with the rows besides that this machine has measured, if any; they are marked as such."""
    path = measured_path(table)
    return merged(table, Table.open(path)) if path.is_file() else table


def merged(table: Table, added: Table) -> Table:
    """`table`, and after its rows those architectures of `added` that it lacks, with the figures that both are of.

    `about` stays that of `table`. Raises `UserError` where the two are of networks of different sizes.
    """
    if table.about.get("network") != added.about.get("network"):
        raise UserError(f"what was measured besides table {table.about['name']!r} is of networks of another size")
    new = ~np.isin(codes(added.ops), codes(table.ops))
    first, count = len(table), int(new.sum())
    if not count:
        return table
    return replace(
        table,
        ops=np.concatenate([table.ops, added.ops[new]]),
        means=_extended(table.means, added.means, new),
        by_seed=_extended(table.by_seed, added.by_seed, new),
        times=_extended(table.times, added.times, new),
        rows_measured_here=frozenset(range(first, first + count)),
    )


def _extended(columns: Mapping[Any, Any], added: Mapping[Any, Any], new: Any) -> dict[Any, Any]:
    """Every column with the `new` rows of its counterpart below it, NaN where that has none."""
    return {
        key: _stacked(column, added[key][new] if key in added else np.empty((int(new.sum()), 0)))
        for key, column in columns.items()
    }


def _stacked(column: Any, below: Any) -> Any:
    """One array above another, the narrower padded with NaN."""
    if column.ndim == 1:
        return np.concatenate([column, below if below.ndim == 1 else np.full(len(below), np.nan)])
    width = max(column.shape[1], below.shape[1])
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=np.nan) for part in (column, below)]
    return np.concatenate(padded)
