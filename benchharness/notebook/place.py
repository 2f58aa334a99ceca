"""Finds the axes for a notebook's plot: the user's own, an empty figure, or a new one."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from benchharness.errors import UserError


class Size(NamedTuple):
    """Inches of a new figure."""

    width: float
    height: float


def axes(ax: Axes | None, size: Size) -> Axes:
    """`ax`, else the current axes where nothing is drawn on them yet, else those of a new figure."""
    return ax if ax is not None else _empty_axes() or _figure(size).add_subplot()


def grid(ax: Axes | None, size: Size, rows: int, columns: int, share: bool = False) -> "np.ndarray[Any, Any]":
    """`rows` by `columns` axes in the place of `axes`, which is taken away; raises `UserError` if that is no place.

    Legends and labels of the whole stay in that place too.
    """
    ax = ax if ax is not None else _empty_axes()
    panel = _panel(ax) if ax is not None else _figure(size)
    return np.asarray(panel.subplots(rows, columns, squeeze=False, sharex=share, sharey=share))


def _panel(ax: Axes) -> SubFigure:
    spec, figure = ax.get_subplotspec(), ax.figure
    if spec is None:
        raise UserError("a plot of several panels needs axes of a grid, such as those of plt.subplots(), to replace")
    if figure.figure.get_layout_engine() is None:
        figure.figure.set_layout_engine("constrained")
    ax.remove()
    return figure.add_subfigure(spec)


def _empty_axes() -> Axes | None:
    """The current axes where they are empty."""
    axes = plt.gcf().axes if plt.get_fignums() else None
    return plt.gca() if axes is not None and (not axes or not plt.gca().has_data()) else None


def _figure(size: Size) -> Figure:
    """A new figure whose labels do not overlap."""
    return plt.figure(figsize=size, layout="constrained")
