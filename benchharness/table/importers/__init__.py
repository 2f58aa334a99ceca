"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchharness.io.catalog import Importer, Kind
from benchharness.table.importers import native
from benchharness.table.importers.trials import details_path
from benchharness.table.learning_curves import Details
from benchharness.table.nas_bench_201 import checked
from benchharness.table.table import Table


def _importers() -> Sequence[Importer]:
    from benchharness.table.importers import columnar, official

    return columnar, official, native


def _check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path`, or what came with it, is not what it says."""
    checked(Table.open(path))
    if details_path(path).is_file():
        Details.open(details_path(path))


TABLES: Final = Kind("tables", "table", native, _importers, _check)
