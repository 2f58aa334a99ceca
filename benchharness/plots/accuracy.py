"""Accuracy of the derived cells: every seed a point, with the mean and its interval beside them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness import stats
from benchharness.plots.style import labelled, looks, many


class Accuracy(NamedTuple):
    """By method, best mean first: the runs' accuracies and their mean with t interval, in percent.

    `methods` are all that the colours are shared out among, here as in the other figures.
    """

    title: str
    methods: list[str]
    runs: dict[str, Float[np.ndarray, "runs"]]
    means: dict[str, stats.Interval]
    optimum: float


def data(scores: pd.DataFrame, title: str = "", optimum: float = np.nan) -> Accuracy:
    """From a frame of accuracies with a column per method and a row per seed (NaN: missing)."""
    runs = {str(name): column.dropna().to_numpy() for name, column in scores.items() if column.notna().any()}
    means = {name: stats.mean_interval(values) for name, values in runs.items()}
    order = sorted(runs, key=lambda name: (-means[name].value, name))
    return Accuracy(
        title,
        [str(name) for name in scores],
        {name: runs[name] for name in order},
        {name: means[name] for name in order},
        optimum,
    )


def draw(info: Accuracy, ax: Axes) -> Axes:
    """A row per method; the wide bar is the 95 % t interval of the mean, drawn where two runs or more allow one."""
    look = looks(info.methods)
    for row, (name, values) in enumerate(info.runs.items()):
        colour, marker, _ = look[name]
        mean = info.means[name]
        if np.isfinite(mean.low):
            # With few seeds a t interval reaches past 100 %, where there is nothing to see.
            reach = np.clip([mean.low, mean.high], 0, 100)
            ax.plot(reach, [row + 0.18] * 2, color=colour, linewidth=5, alpha=0.45, solid_capstyle="butt")
        ax.plot([mean.value] * 2, [row + 0.06, row + 0.30], color=colour, linewidth=2.5)
        ax.scatter(
            values, row - _spread(values), marker=marker, color=colour, s=42, edgecolor="white", linewidth=0.7,
            rasterized=many(values),
        )  # fmt: skip
    if np.isfinite(info.optimum):
        ax.axvline(info.optimum, color="#444444", linewidth=1, linestyle=(0, (4, 3)))
        ax.text(info.optimum, -0.75, "table's optimum  ", ha="right", va="center", fontsize=8, color="#444444")
    ax.set(yticks=range(len(info.runs)), ylim=(len(info.runs) - 0.4, -1), yticklabels=_named(info))
    ax.grid(visible=False, axis="y")
    return labelled(ax, "test accuracy of the derived cell (%)", title=info.title)


def _named(info: Accuracy) -> list[str]:
    return [f"{name} (n={len(values)})" for name, values in info.runs.items()]


def _spread(values: Float[np.ndarray, "runs"]) -> Float[np.ndarray, "runs"]:
    """Heights that keep equal runs apart: the k-th run of the same accuracy stands k steps higher."""
    nth = pd.Series(values.round(2)).groupby(values.round(2)).cumcount().to_numpy()
    return np.asarray(0.09 * (nth % 5) + 0.05)
