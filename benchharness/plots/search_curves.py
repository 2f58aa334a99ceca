"""Curves over a search's epochs, a line per method: degeneration, parameter-free operations, entropy, eigenvalue."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchharness.plots.style import labelled, legend, looks, methods_of, multiples

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
"""Runs from which an SVG file holds their lines as an image."""


class Curve(NamedTuple):
    """One method's figure by epoch: the mean over seeds, their 10th and 90th percentile, and every run by itself."""

    epochs: Int[np.ndarray, "epochs"]
    mean: Float[np.ndarray, "epochs"]
    low: Float[np.ndarray, "epochs"]
    high: Float[np.ndarray, "epochs"]
    n: int
    runs: Float[np.ndarray, "runs epochs"]


class Curves(NamedTuple):
    """A figure over epochs, by method, and every method that the colours are to be shared out among."""

    column: str
    title: str
    methods: list[str]
    by_method: dict[str, Curve]
    lines: Mapping[str, float] = {}
    """Values to compare with, by name."""


def data(curves: pd.DataFrame, column: str, title: str = "", lines: Mapping[str, float] | None = None) -> Curves:
    """From the frame that `report.curves` gives; runs and methods without any value of `column` are left out.

    So is an epoch at which a run of the method has none, as where a table of a part of the space lacks its cell: every
    mean of a line is over the same runs.
    """
    known = curves[column].notna()
    measured = curves[known.groupby(curves["run_id"]).transform("any")]
    whole = known[measured.index].groupby([measured["method"], measured["epoch"]], observed=True).transform("all")
    by_method = {str(name): _curve(part, column) for name, part in measured[whole].groupby("method", observed=True)}
    return Curves(column, title, methods_of(curves), by_method, lines or {})


def draw(info: Curves, ax: Axes) -> Axes:
    """A line per method, its mean over seeds; the band reaches from their 10th to their 90th percentile."""
    look = looks(info.methods)
    for name, curve in info.by_method.items():
        colour, marker, dash = look[name]
        ax.fill_between(curve.epochs, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
        every = max(1, len(curve.epochs) // 8)
        ax.plot(
            curve.epochs, curve.mean, color=colour, linestyle=dash, marker=marker, markevery=every, markersize=5,
            label=f"{name} (n={curve.n})",
        )  # fmt: skip
    if info.column in COUNTS:
        ax.set_ylim(-0.2, 6.2)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax, "best")
    return labelled(ax, "epoch", LABELS[info.column], info.title)


def figure(info: Curves) -> Figure:
    """A panel per method: its seeds thin, their median thick, the medians of all other methods grey behind it."""
    look = looks(info.methods)

    def panel(name: str, ax: Axes) -> None:
        for other, curve in info.by_method.items():
            if other != name:
                ax.plot(curve.epochs, median(curve), color="#BBBBBB", linewidth=0.6, zorder=1)
        seeds(info.by_method[name], look[name].colour, ax)
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


def _curve(part: pd.DataFrame, column: str) -> Curve:
    by_epoch = part.groupby("epoch")[column]
    mean = by_epoch.mean()
    bounds = by_epoch.quantile(0.1).to_numpy(float), by_epoch.quantile(0.9).to_numpy(float)
    runs = part.pivot_table(index="run_id", columns="epoch", values=column, dropna=False, observed=True).to_numpy(float)
    return Curve(mean.index.to_numpy(int), mean.to_numpy(float), *bounds, part["run_id"].nunique(), runs)
