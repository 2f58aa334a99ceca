"""Finding an installed table by its name."""

from benchharness import folder
from benchharness.table.table import Table


def load_table(name: str = "nas-bench-201") -> Table:
    """The installed table called `name`; raises `UserError` saying which command brings it where it is missing."""
    return Table.open(folder.find("tables", name))
