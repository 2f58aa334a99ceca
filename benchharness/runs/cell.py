"""One architecture in a notebook: what it is called, what it looks like, what it costs and reaches, its network."""

from contextlib import suppress
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from benchharness import space
from benchharness.errors import UserError
from benchharness.models.standalone import Network
from benchharness.table import load_for


class Cell(NamedTuple):
    """An architecture, by its code's operations, with what a table holds about it."""

    arch: space.Arch
    number: int
    """The benchmark's index of it."""
    about: dict[str, Any]
    """What `Table.describe` gives: accuracies in percent, parameters, FLOPs; empty without a table that holds it."""

    def __str__(self) -> str:
        return space.to_string(self.arch)

    def network(self, classes: int = 10, channels: int = 16, cells: int = 5) -> Network:
        """The stand-alone network, untrained; by default of the size that NAS-Bench-201 trained."""
        return Network(self.arch, classes, channels, cells)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The cell as a graph, drawn into `ax` or a new figure."""
        from matplotlib import pyplot as plt

        from benchharness.plots import cell as picture

        return picture.draw(picture.data(self.arch, f"#{self.number}"), ax if ax is not None else plt.gca())


def cell(arch: int | str, dataset: str = "cifar10") -> Cell:
    """The architecture with the benchmark's index `arch`, or written so; raises `UserError` where there is none.

    What is told about it is from the table of `dataset`, where one is installed.
    """
    code = _code(arch)
    index, about = int(space.indices()[code]), {}
    with suppress(UserError):
        about = load_for(dataset).describe(index)
    return Cell(space.from_code(code), index, about)


def _code(arch: int | str) -> int:
    if isinstance(arch, str) and not arch.isdecimal():
        return space.to_code(space.from_string(arch))
    if not 0 <= int(arch) < space.SIZE:
        raise UserError(f"{arch} is no index of an architecture; they are 0 to {space.SIZE - 1}")
    return int(space.order()[int(arch)])
