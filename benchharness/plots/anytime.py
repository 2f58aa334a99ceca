"""Accuracy over simulated time of searches that query the table and train nothing."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness.plots.style import labelled, legend, looks


class Band(NamedTuple):
    """One search's accuracy over time: the mean over seeds, and their 10th and 90th percentile."""

    mean: Float[np.ndarray, "times"]
    low: Float[np.ndarray, "times"]
    high: Float[np.ndarray, "times"]
    n: int


class Anytime(NamedTuple):
    """Accuracy in percent against simulated seconds, by search."""

    seconds: Float[np.ndarray, "times"]
    by_method: dict[str, Band]
    optimum: float
    title: str


def data(
    seconds: Float[np.ndarray, "times"], runs: Mapping[str, Float[np.ndarray, "runs times"]], optimum: float, title: str
) -> Anytime:
    """From accuracies by search (runs, times); NaN before a seed's first evaluation, where no mean is drawn."""
    return Anytime(seconds, {name: _band(accuracies) for name, accuracies in runs.items()}, optimum, title)


def draw(info: Anytime, ax: Axes) -> Axes:
    """A line per search, its mean over seeds; the band reaches from their 10th to their 90th percentile."""
    look_by_method = looks(list(info.by_method))
    for name, band in info.by_method.items():
        colour, marker, dash = look_by_method[name]
        ax.fill_between(info.seconds, band.low, band.high, color=colour, alpha=0.12, linewidth=0)
        ax.plot(
            info.seconds, band.mean, color=colour, linestyle=dash, marker=marker, markersize=5,
            markevery=max(1, len(info.seconds) // 8), label=f"{name} (n={band.n})",
        )  # fmt: skip
    ax.axhline(info.optimum, color="0.4", linewidth=1, linestyle=":", label="optimum")
    lowest = min((np.nanmin(band.mean) for band in info.by_method.values() if np.isfinite(band.mean).any()), default=0)
    ax.set_ylim(lowest - 0.5, info.optimum + 0.5)  # otherwise one early cell at chance would flatten the curves
    legend(ax, "lower right")
    return labelled(ax, "simulated seconds", "test accuracy (%)", info.title)


def _band(runs: Float[np.ndarray, "runs times"]) -> Band:
    """Mean and percentiles over seeds, NaN before every seed has an answer."""
    is_complete = np.isfinite(runs).all(0)
    mean, low, high = (np.full(runs.shape[1], np.nan) for _ in range(3))
    mean[is_complete] = runs[:, is_complete].mean(0)
    low[is_complete], high[is_complete] = np.percentile(runs[:, is_complete], [10, 90], axis=0)
    return Band(mean, low, high, len(runs))
