"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from pathlib import Path

from benchharness.table.benchmark import checked
from benchharness.table.details import Details
from benchharness.table.table import Table
from benchharness.table.trials import details_path


def check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path`, or what came with it, is not what it says."""
    checked(Table.open(path))
    if details_path(path).is_file():
        Details.open(details_path(path))
