"""Finding installed tables and their details by name."""

from benchharness import folder
from benchharness.errors import UserError
from benchharness.table.details import Details
from benchharness.table.table import Table
from benchharness.table.trials import details_path


def load_table(name: str = "nas-bench-201") -> Table:
    """The installed table called `name`; raises `UserError` saying which command brings it where it is missing."""
    return Table.open(folder.find("tables", name))


def load_details(name: str = "nas-bench-201") -> Details:
    """Learning curves and latencies of the table called `name`.

    Raises `UserError` where the table is missing, or was imported from a file that has none.
    """
    path = folder.find("tables", name)
    place = details_path(path)
    if not place.is_file():
        raise UserError(f"table {name!r} came without learning curves; the official files have them")
    found = Details.open(place)
    if found.about.get("table_sha256") != Table.open(path).about["sha256"]:
        raise UserError(f"the learning curves in {place} are of another table; import the official files again")
    return found
