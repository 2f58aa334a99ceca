"""Accuracy against what the search cost."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from benchharness.plots.style import labelled, legend, looks, many, methods_of


class Cost(NamedTuple):
    """Runs with `method`, `search_seconds` and `test` (percent)."""

    title: str
    methods: list[str]
    runs: pd.DataFrame


def data(runs: pd.DataFrame, title: str = "") -> Cost:
    """From a frame with a row per run and the columns `method`, `search_seconds` and `test`; others are ignored."""
    return Cost(title, methods_of(runs), runs[["method", "search_seconds", "test"]].dropna())


def draw(info: Cost, ax: Axes) -> Axes:
    """A mark per run, up and left is better; time is on a logarithmic scale."""
    look = looks(info.methods)
    for name, part in info.runs.groupby("method", observed=True):
        colour, marker, _ = look[str(name)]
        ax.scatter(
            part["search_seconds"], part["test"], marker=marker, color=colour, s=60, edgecolor="black", linewidth=0.6,
            label=str(name), rasterized=many(part),
        )  # fmt: skip
    ax.set_xscale("log")
    legend(ax)
    return labelled(ax, "search cost (seconds)", "test accuracy (%)", info.title)
