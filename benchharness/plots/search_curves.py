"""Curves over a search's epochs, a line per method: degeneration, parameter-free operations, entropy, eigenvalue."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchharness.plots.style import looks, methods_of, multiples

LABELS: Final = {
    "test": "table accuracy (%)",
    "skips": "skip connections",
    "parameter_free": "parameter-free operations",
    "entropy": "entropy (nats)",
    "skip_margin": "skip minus convolution",
    "eigenvalue": "largest eigenvalue",
    "valid_accuracy_pct": "supernet's accuracy (%)",
}
COUNTS: Final = ("skips", "parameter_free")
SOME: Final = 50
"""Number of runs above which SVG files hold the lines as an image."""


class Curve(NamedTuple):
    """One method's figure by epoch, a row per run."""

    epochs: Int[np.ndarray, "epochs"]
    runs: Float[np.ndarray, "runs epochs"]


class Curves(NamedTuple):
    """A quantity over epochs by method; all `methods` of the folder determine the colours."""

    column: str
    title: str
    methods: list[str]
    by_method: dict[str, Curve]
    lines: Mapping[str, float] = {}
    """Values to compare with, by name."""


def data(curves: pd.DataFrame, column: str, title: str = "", lines: Mapping[str, float] | None = None) -> Curves:
    """From the frame of `report.curves`; runs and methods without any value of `column` are left out.

    Also left out are epochs at which a run of the method has no value (an incomplete table may lack its cell), so that
    all points of a median are over the same runs.
    """
    is_known = curves[column].notna()
    known_curves = curves[is_known.groupby(curves["run_id"]).transform("any")]
    is_complete = (
        is_known[known_curves.index]
        .groupby([known_curves["method"], known_curves["epoch"]], observed=True)
        .transform("all")
    )
    by_method = {
        str(name): _curve(group, column) for name, group in known_curves[is_complete].groupby("method", observed=True)
    }
    return Curves(column, title, methods_of(curves), by_method, lines or {})


def figure(info: Curves) -> Figure:
    """A panel per method: its seeds thin, their median thick, the medians of all other methods grey behind it."""
    look_by_method = looks(info.methods)

    def panel(name: str, ax: Axes) -> None:
        """Draw the curves of one method."""
        for other, curve in info.by_method.items():
            if other != name:
                ax.plot(curve.epochs, median(curve), color="#BBBBBB", linewidth=0.6, zorder=1)
        seeds(info.by_method[name], look_by_method[name].colour, ax)
        for value in info.lines.values():
            ax.axhline(value, color="#444444", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        if info.column in COUNTS:
            ax.set(ylim=(-0.3, 6.3), yticks=(0, 2, 4, 6))
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))

    return multiples(list(info.by_method), panel, ("epoch", LABELS[info.column]))


def seeds(curve: Curve, colour: str, ax: Axes) -> None:
    """Every run a thin line, their median a thick one."""
    for run in curve.runs:
        ax.plot(curve.epochs, run, color=colour, linewidth=0.7, alpha=0.6, zorder=2, rasterized=len(curve.runs) > SOME)
    ax.plot(curve.epochs, median(curve), color=colour, linewidth=2, zorder=3)


def median(curve: Curve) -> Float[np.ndarray, "epochs"]:
    """The median over runs by epoch."""
    return np.asarray(np.nanmedian(curve.runs, axis=0))


def _curve(group: pd.DataFrame, column: str) -> Curve:
    by_epoch = group.pivot_table(index="run_id", columns="epoch", values=column, dropna=False, observed=True)
    return Curve(by_epoch.columns.to_numpy(int), by_epoch.to_numpy(float))
