"""A table that `Table.save` wrote, on this machine or another."""

from pathlib import Path
from typing import Final

from benchharness import npz
from benchharness.table.file import KIND
from benchharness.table.table import Table

LAYOUT: Final = "a table in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name the table gives itself, None where `path` is no such file."""
    name = npz.header(path, KIND).get("about", {}).get("name")
    return str(name) if name else None


def convert(path: Path, target: Path) -> None:
    """Write the table in the file at `path` to `target`, once more and checked."""
    from benchharness.table.importers import check

    check(path)
    Table.open(path).save(target)
