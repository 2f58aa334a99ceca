"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from collections.abc import Sequence
from typing import Final

from benchharness.io.sources import Importer, Kind
from benchharness.table.importers import native, native_costs


def _importers() -> Sequence[Importer]:
    from benchharness.table.importers import columnar, official

    return columnar, official, native


def _cost_importers() -> Sequence[Importer]:
    from benchharness.table.importers import cost_frame

    return cost_frame, native_costs


TABLES: Final = Kind("tables", "table", native, _importers)
COSTS: Final = Kind("costs", "set of costs", native_costs, _cost_importers)
