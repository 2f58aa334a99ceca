"""Accuracy of the derived cells: every seed a point, their mean a bar, beside the random cell and the optimum."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from benchharness import stats
from benchharness.plots.style import is_crowded, labelled, looks

WIDE: Final = 20.0
"""Points below the optimum; if an accuracy is lower, the axis is logarithmic in the distance to the optimum."""
_SHIFT: Final = 0.3
_TICKS: Final = (0, 10, 30, 50, 70, 80, 85, 90, 92, 93, 94, 95, 96, 97, 98, 99)


class Accuracy(NamedTuple):
    """By method, best mean first: the runs' accuracies and their mean with t interval, in percent.

    `methods` are all methods of the folder; they determine the colours in all figures.
    """

    title: str
    methods: list[str]
    runs: dict[str, Float[np.ndarray, "runs"]]
    means: dict[str, stats.Interval]
    optimum: float
    random: float
    """Mean accuracy of a random cell."""


def data(scores: pd.DataFrame, title: str = "", optimum: float = np.nan, random: float = np.nan) -> Accuracy:
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
        random,
    )


def draw(info: Accuracy, ax: Axes) -> Axes:
    """Draw a row per method; the axis is logarithmic towards the optimum if some run lies far below it."""
    look = looks(info.methods)
    every = np.concatenate([*info.runs.values()])
    lowest, highest = float(every.min()), float(every.max())
    _scale(info, ax, lowest, highest)
    for row, (name, values) in enumerate(info.runs.items()):
        ax.plot([info.means[name].value] * 2, [row - 0.32, row + 0.32], color="#444444", linewidth=1.8, zorder=2)
        ax.scatter(
            values, row + _spread(values), s=36, color=look[name].colour, alpha=0.9, edgecolor="white", linewidth=0.6,
            zorder=3, rasterized=is_crowded(values),
        )  # fmt: skip
    for value, name in ((info.optimum, "optimum"), (info.random, "random cell")):
        if np.isfinite(value):
            ax.axvline(value, color="#444444", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            ax.text(value, -0.75, f"{name} ", ha="right", va="center", fontsize=8, color="#444444")
    ax.set(yticks=range(len(info.runs)), yticklabels=_named(info), ylim=(len(info.runs) - 0.4, -1.2))
    ax.grid(visible=False, axis="y")
    return labelled(ax, _label(info, lowest), "", info.title)


def _named(info: Accuracy) -> list[str]:
    """Names of the methods, with their numbers of runs if these differ."""
    counts = {name: len(values) for name, values in info.runs.items()}
    return [f"{name} (n={n})" if len(set(counts.values())) > 1 else name for name, n in counts.items()]


def _spread(values: Float[np.ndarray, "runs"]) -> Float[np.ndarray, "runs"]:
    """Vertical shifts that keep equal runs apart: the k-th run of one accuracy is k steps off the middle."""
    nth = pd.Series(values.round(2)).groupby(values.round(2)).cumcount().to_numpy()
    return np.asarray(0.14 * ((nth + 1) // 2 % 3) * np.where(nth % 2, -1, 1))


def _far(info: Accuracy, lowest: float) -> bool:
    return bool(np.isfinite(info.optimum) and info.optimum - lowest > WIDE)


def _label(info: Accuracy, lowest: float) -> str:
    return "test accuracy (%), log distance to the optimum" if _far(info, lowest) else "test accuracy (%)"


def _scale(info: Accuracy, ax: Axes, lowest: float, highest: float) -> None:
    if not _far(info, lowest):
        finite_values = [value for value in (lowest, highest, info.optimum, info.random) if np.isfinite(value)]
        margin = max(0.05 * (max(finite_values) - min(finite_values)), 0.1)
        ax.set_xlim(min(finite_values) - margin, max(finite_values) + margin)
        return
    best = max(info.optimum, highest) + _SHIFT

    def forward(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Position on the axis: minus the logarithm of the distance to the optimum."""
        return -np.log(np.maximum(best - np.asarray(x, float), 1e-3))

    def inverse(y: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The accuracy at a position on the axis."""
        return best - np.exp(-np.asarray(y, float))

    ax.set_xscale("function", functions=(forward, inverse))
    left_limit = min(lowest, info.random if np.isfinite(info.random) else lowest)
    ax.set_xlim(left_limit - 0.15 * (best - left_limit), best - 0.6 * _SHIFT)
    ticks = [tick for tick in _TICKS if left_limit - 0.15 * (best - left_limit) <= tick < best - _SHIFT]
    room = 0.075 * np.diff(forward(np.array(ax.get_xlim()))).item()
    gaps: list[float] = []
    for tick in reversed(ticks):  # leave out ticks that would overlap
        if not gaps or abs(forward(np.array(tick)) - forward(np.array(gaps[-1]))) > room:
            gaps.append(tick)
    ax.xaxis.set_major_locator(FixedLocator(gaps))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
