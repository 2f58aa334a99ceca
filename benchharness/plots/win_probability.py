"""The probability that a run of one method beats a run of another, as a matrix."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from benchharness import stats
from benchharness.plots.style import labelled

_SIDES = LinearSegmentedColormap.from_list("sides", ["#B35806", "#FFFFFF", "#2166AC"])


class Improvement(NamedTuple):
    """P(row beats column) by method, best mean first; NaN on the diagonal."""

    title: str
    methods: list[str]
    probability: Float[np.ndarray, "methods methods"]


def data(scores: pd.DataFrame, title: str = "") -> Improvement:
    """From a frame of accuracies with a column per method and a row per seed (NaN: missing)."""
    kept = scores.dropna(axis="columns", how="all")
    methods = [str(name) for name in kept.mean().sort_values(ascending=False, kind="stable").index]
    values = [kept[name].to_numpy() for name in methods]
    matrix = np.array([[stats.improvement_probability(a, b) for b in values] for a in values])
    np.fill_diagonal(matrix, np.nan)
    return Improvement(title, methods, matrix)


def draw(info: Improvement, ax: Axes) -> Axes:
    """Blue: the row's method tends to win; brown: the column's. The number in each field says it without colour."""
    ax.imshow(info.probability, cmap=_SIDES, vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(info.probability):
        if np.isfinite(value):
            dark = abs(value - 0.5) > 0.3
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(range(len(info.methods)), info.methods, rotation=30, ha="right")
    ax.set_yticks(range(len(info.methods)), info.methods)
    ax.grid(visible=False)
    return labelled(ax, "beats a run of", "a run of", info.title)
