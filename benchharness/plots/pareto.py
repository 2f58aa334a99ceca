"""Accuracy against a network's cost on a device: all cells, their Pareto front, and the derived cells."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness import stats
from benchharness.plots.style import is_crowded, labelled, legend, methods_of, scatter

_SHOWN_PCT = 25
"""The axis begins at this percentile of all cells' accuracies."""


class Pareto(NamedTuple):
    """Cost and test accuracy (percent) of all cells, of those on the Pareto front, and of the runs' cells."""

    title: str
    label: str
    """Label of the cost axis."""
    methods: list[str]
    costs: Float[np.ndarray, "archs"]
    accuracies: Float[np.ndarray, "archs"]
    front_costs: Float[np.ndarray, "front"]
    front_accuracies: Float[np.ndarray, "front"]
    runs: pd.DataFrame


def data(
    runs: pd.DataFrame,
    costs: Float[np.ndarray, "archs"],
    accuracies: Float[np.ndarray, "archs"],
    label: str,
    title: str = "",
) -> Pareto:
    """From a frame with a row per run (`method`, `cost`, `test`) and both figures of all cells (NaN: missing)."""
    on_front = stats.front(costs, accuracies)
    is_known = np.isfinite(costs) & np.isfinite(accuracies)
    every = (costs[is_known], accuracies[is_known], costs[on_front], accuracies[on_front])
    return Pareto(title, label, methods_of(runs), *every, runs[["method", "cost", "test"]].dropna())


def draw(info: Pareto, ax: Axes) -> Axes:
    """Draw all cells as grey points, the front as a line, runs as marks; up and left is better.

    The lowest quarter of all cells is left out; runs that derived one of these are marked on the lower edge.
    """
    lowest = float(np.percentile(info.accuracies, _SHOWN_PCT))
    is_shown = info.accuracies >= lowest
    ax.scatter(
        info.costs[is_shown],
        info.accuracies[is_shown],
        s=3,
        color="#BBBBBB",
        linewidth=0,
        rasterized=is_crowded(is_shown),
    )
    ax.step(info.front_costs, info.front_accuracies, where="post", color="#444444", linewidth=1.2, label="Pareto front")
    runs = info.runs.assign(test=info.runs["test"].clip(lower=lowest))
    scatter(runs, "cost", "test", info.methods, ax, s=50, edgecolor="black", linewidth=0.6, zorder=3, clip_on=False)
    highest = float(info.accuracies.max())
    ax.set_ylim(lowest, highest + 0.05 * (highest - lowest or 1.0))
    legend(ax)
    return labelled(ax, info.label, "test accuracy (%)", info.title)
