"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchharness.io.sources import Importer, Kind
from benchharness.table.costs import Costs
from benchharness.table.importers import native, native_costs
from benchharness.table.nas_bench_201 import checked
from benchharness.table.table import Table


def _importers() -> Sequence[Importer]:
    from benchharness.table.importers import columnar, official

    return columnar, official, native


def _check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path` is not what it says."""
    checked(Table.open(path))


def _cost_importers() -> Sequence[Importer]:
    from benchharness.table.importers import cost_frame

    return cost_frame, native_costs


def _check_costs(path: Path) -> None:
    Costs.open(path)


TABLES: Final = Kind("tables", "table", native, _importers, _check)
COSTS: Final = Kind("costs", "set of costs", native_costs, _cost_importers, _check_costs)
