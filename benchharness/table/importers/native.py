"""A table that `Table.save` wrote, on this machine or another."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from benchharness.io import npz
from benchharness.table.nas_bench_201 import checked
from benchharness.table.storage import KIND
from benchharness.table.table import Table

LAYOUT: Final = "a table in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name the table gives itself, None if `path` is no such file."""
    return npz.name_in(path, KIND)


def read_source(path: Path) -> Table:
    """The table in the file at `path`, checked; raises `UserError` if it is not what it says."""
    return checked(Table.open(path))


def read_as(path: Path, name: str) -> Table:
    """The table in the file at `path` under another `name`; under the benchmark's, it has to be the benchmark."""
    table = Table.open(path)
    return checked(replace(table, about={**table.about, "name": name}))
