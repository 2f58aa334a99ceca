"""One module a layout of benchmark tables: `LAYOUT` in words, `recognises(path)` and `convert(path, target)`."""

from pathlib import Path

from benchharness.errors import UserError
from benchharness.table import benchmark, build, file
from benchharness.table.table import Table


def check(path: Path) -> None:
    """Raise `UserError` where the table in our format at `path` does not hold together or is not what it says."""
    table = Table.open(path)
    build.check(table)
    if file.digest(table) != table.about["sha256"]:
        raise UserError(f"{path} does not hold what its own checksum says; import it again")
    if table.complete and table.about["name"] == benchmark.NAME:
        benchmark.check(table)
