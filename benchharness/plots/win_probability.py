"""The probability that a run of one method beats a run of another, as a matrix."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
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
    scores_there = scores.dropna(axis="columns", how="all")
    methods = [str(name) for name in scores_there.mean().sort_values(ascending=False, kind="stable").index]
    values = [scores_there[name].to_numpy() for name in methods]
    matrix = np.array([[stats.improvement_probability(a, b) for b in values] for a in values])
    np.fill_diagonal(matrix, np.nan)
    return Improvement(title, methods, matrix)


def draw(info: Improvement, ax: Axes) -> Axes:
    """Blue: the row's method tends to win; brown: the column's. The number in each field says it without colour."""
    sns.heatmap(
        info.probability, cmap=_SIDES, vmin=0, vmax=1, annot=True, fmt=".2f", annot_kws={"fontsize": 8}, square=True,
        cbar=False, linewidths=0.5, xticklabels=info.methods, yticklabels=info.methods, ax=ax,
    )  # fmt: skip
    ax.tick_params(axis="x", rotation=45, labelsize=9)
    ax.tick_params(axis="y", rotation=0, labelsize=9)
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("right")
    ax.grid(visible=False)
    return labelled(ax, "beats a run of", "a run of", info.title)
