"""Accuracy against the cost of the search."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from benchharness.plots.style import labelled, legend, methods_of, scatter


class Cost(NamedTuple):
    """Runs with `method`, `search_seconds` and `test` (percent)."""

    title: str
    methods: list[str]
    runs: pd.DataFrame


def data(runs: pd.DataFrame, title: str = "") -> Cost:
    """From a frame with a row per run and the columns `method`, `search_seconds` and `test`; others are ignored."""
    return Cost(title, methods_of(runs), runs[["method", "search_seconds", "test"]].dropna())


def draw(info: Cost, ax: Axes) -> Axes:
    """Draw a mark per run, up and left is better; time is logarithmic, runs under a second are left out."""
    timed_runs = info.runs[info.runs["search_seconds"] >= 1]
    shown = timed_runs if len(timed_runs) else info.runs
    scatter(shown, "search_seconds", "test", info.methods, ax, s=60, edgecolor="black", linewidth=0.6)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    ax.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    legend(ax)
    return labelled(ax, "search cost (seconds)", "test accuracy (%)", info.title)
