"""OStr-DARTS: the DARTS supernet, with the cell derived by operation strength instead of the magnitude of alpha."""

from benchharness.methods.darts import Darts


class Ostr(Darts):
    """OStr-DARTS: trained exactly as DARTS; the cell is derived by each operation's effect on the final loss."""

    trains_as = "darts"
    selection = "strength"
