"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from pathlib import Path

from benchharness.table.importers._trials import details_path
from benchharness.table.learning_curves import Details
from benchharness.table.nas_bench_201 import checked
from benchharness.table.table import Table


def check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path`, or what came with it, is not what it says."""
    checked(Table.open(path))
    if details_path(path).is_file():
        Details.open(details_path(path))
