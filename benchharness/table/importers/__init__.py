"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from pathlib import Path

from benchharness.table.benchmark import checked
from benchharness.table.table import Table


def check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path` is not what it says."""
    checked(Table.open(path))
