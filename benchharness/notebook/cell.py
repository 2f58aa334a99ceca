"""One architecture in a notebook: its picture, costs, accuracies and network."""

from contextlib import suppress
from html import escape
from io import StringIO
from typing import Any, Final, NamedTuple

import pandas as pd
import torch
from matplotlib.axes import Axes

from benchharness import plots, space
from benchharness.data import canonical_name, load_images
from benchharness.data.kinds import canonical
from benchharness.errors import UserError
from benchharness.models.standalone import Network
from benchharness.notebook import place
from benchharness.plots.style import figure_of
from benchharness.table import load_for
from benchharness.table.notation import read_index
from benchharness.training.journal import Journal, journal_of

_SIZE: Final = place.Size(3.5, 2.5)


class Cell(NamedTuple):
    """An architecture, with what the table of a data set holds about it."""

    arch: space.Arch
    number: int
    """The benchmark's index of it."""
    dataset: str
    about: dict[str, Any]
    """What `Table.describe` gives; empty if no table holds the architecture."""

    def __str__(self) -> str:
        return space.to_string(self.arch)

    def __repr__(self) -> str:
        return f"cell {self.number} {self}"

    @property
    def accuracies(self) -> pd.DataFrame:
        """A row per data set, split and epochs: `accuracy_pct`, `rank` (1: best), `percentile`, `regret` (points)."""
        names = ["dataset", "split", "epochs", "accuracy_pct", "rank", "percentile", "regret"]
        return pd.DataFrame(self.about.get("figures", []), columns=names)

    @property
    def costs(self) -> pd.DataFrame:
        """A row per data set: parameters and multiply-adds in millions of the networks that its table is of."""
        params = self.about.get("params_m", {})
        flops = [self.about.get("flops_m")] * len(params)
        return pd.DataFrame({"dataset": list(params), "params_m": list(params.values()), "flops_m": flops})

    def network(self, classes: int | None = None, channels: int | None = None, cells: int | None = None) -> Network:
        """The stand-alone network of this size; without one of the size trained here, else of NAS-Bench-201's, with the
        classes of `dataset`.

        It has trained weights where this machine has trained the cell, in that size, as ground truth for searches on
        `dataset`; `trained` tells. What was trained then is the first cell of those that compute the same.
        """
        journal, requested = self._trained(), (classes, channels, cells)
        if journal is not None:
            size = (len(journal.images.classes), journal.recipe.channels, journal.recipe.cells)
            if all(number in (None, own_size) for number, own_size in zip(requested, size, strict=True)):
                net = Network(space.from_code(self._class()), *size)
                net.load_state_dict(torch.load(journal.weights(self._class()), map_location="cpu", weights_only=True))
                return net.eval()
        return Network(
            self.arch,
            self._classes() if classes is None else classes,
            space.Network().channels if channels is None else channels,
            space.Network().cells if cells is None else cells,
        )

    @property
    def trained(self) -> bool:
        """Whether this machine has kept weights from training it as ground truth on `dataset`."""
        return self._trained() is not None

    def plot(self, ax: Axes | None = None) -> Axes:
        """The cell as a graph, drawn into `ax`, the current axes where nothing is on them yet, or a new figure."""
        return plots.cell.draw(plots.cell.data(self.arch, f"#{self.number}"), place.axes(ax, _SIZE))

    def _repr_html_(self) -> str:
        drawing = StringIO()
        picture = plots.cell.data(self.arch, f"#{self.number}")
        figure_of(plots.cell.draw, picture, *_SIZE).savefig(drawing, format="svg")
        frames = (frame.round(2).to_html(index=False, border=0) for frame in (self.accuracies, self.costs))
        svg = drawing.getvalue()
        return f"<p><code>{escape(str(self))}</code></p>{svg[svg.index('<svg') :]}{''.join(frames)}"

    def _classes(self) -> int:
        """The number of classes of `dataset`, by its table if that holds the cell, else by its images."""
        network = space.NETWORKS.get(self.dataset)
        if network is None and self.about:
            network = space.Network(**self.about["table"].get("network", {}))
        return network.classes if network else len(load_images(self.dataset).classes)

    def _class(self) -> int:
        return int(space.classes()[space.to_code(self.arch)])

    def _trained(self) -> Journal | None:
        """The journal that holds trained weights of this cell, if any."""
        with suppress(UserError):
            journal = journal_of(load_for(self.dataset))
            return journal if journal.weights(self._class()).is_file() else None
        return None


def cell(arch: int | str | space.Arch, dataset: str = "cifar10") -> Cell:
    """The architecture given by index or in any spelling; raises `UserError` if there is none, or no such data set.

    Its accuracies and costs are from the table of `dataset`, if one is installed.
    """
    index, dataset, about = read_index(arch), canonical(dataset), {}
    try:
        table = load_for(dataset)
    except UserError:
        canonical_name(dataset)
    else:
        with suppress(UserError):  # a table need not hold every architecture
            about = table.describe(index)
    return Cell(space.from_code(int(space.order()[index])), index, dataset, about)
