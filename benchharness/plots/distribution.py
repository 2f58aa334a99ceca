"""Percentiles of the derived cells among all cells of the table, a row per method."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness.plots.style import is_crowded, labelled, looks


class Distribution(NamedTuple):
    """All of the table's accuracies, sorted, and by method those of the derived cells, best mean first; in percent."""

    title: str
    methods: list[str]
    table: Float[np.ndarray, "archs"]
    runs: dict[str, Float[np.ndarray, "runs"]]


def data(scores: pd.DataFrame, table: Float[np.ndarray, "archs"], title: str = "") -> Distribution:
    """From a frame of accuracies with a column per method and a row per seed, and the table's column (NaN: missing)."""
    ordered = scores.mean().dropna().sort_values(ascending=False, kind="stable").index
    runs = {str(name): scores[name].dropna().to_numpy() for name in ordered}
    return Distribution(title, [str(name) for name in scores], np.sort(table[np.isfinite(table)]), runs)


def draw(info: Distribution, ax: Axes) -> Axes:
    """Draw a mark per derived cell; random cells would be spread evenly. The upper axis shows accuracies."""
    look = looks(info.methods)
    places = pd.DataFrame(
        [
            (name, 100 * percentile / len(info.table))
            for name, values in info.runs.items()
            for percentile in np.searchsorted(info.table, values, side="right")
        ],
        columns=["method", "place"],
    )
    sns.stripplot(
        places, x="place", y="method", order=list(info.runs), hue="method", hue_order=list(info.runs),
        palette={name: look[name].colour for name in info.runs}, jitter=False, size=6, alpha=0.9, edgecolor="white",
        linewidth=0.6, legend=False, rasterized=is_crowded(places), ax=ax,
    )  # fmt: skip
    shares = np.arange(0, 101, 10)
    ax.set(xlim=(-2, 102), xticks=shares, yticks=range(len(info.runs)), yticklabels=list(info.runs))
    ax.set_ylim(len(info.runs) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    top = ax.secondary_xaxis("top")
    top.set_xticks(shares, [f"{value:.1f}" for value in np.percentile(info.table, shares)], fontsize=8)
    top.set_xlabel("test accuracy (%) there")
    return labelled(ax, "table's cells that are no better (%)", "", info.title)
