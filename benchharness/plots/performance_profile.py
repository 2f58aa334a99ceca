"""Performance profile: the share of a method's runs that reach an accuracy, for every accuracy."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchharness import stats
from benchharness.plots.style import looks, multiples

STEPS: Final = 200
"""Most steps of a curve; of more runs than these, as many of their accuracies stand for all."""


class Profile(NamedTuple):
    """The range of accuracies that is drawn (percent), and by method where its curve steps down.

    `steps` has four rows: accuracies, rising, the share of runs at or above each, and its 95 % bootstrap band. Between
    two accuracies the share is that of the upper one.
    """

    title: str
    methods: list[str]
    ends: tuple[float, float]
    steps: dict[str, Float[np.ndarray, "4 steps"]]


def data(scores: pd.DataFrame, rng: np.random.Generator, title: str = "") -> Profile:
    """From a frame of accuracies with a column per method and a row per seed (NaN: missing)."""
    scores_there = scores.dropna(axis="columns", how="all")
    low, high = float(np.nanmin(scores_there.to_numpy())), float(np.nanmax(scores_there.to_numpy()))
    margin = max(0.05 * (high - low), 0.1)
    ends = low - margin, high + margin
    steps = {str(name): _steps(scores_there[name].to_numpy(), ends, rng) for name in scores_there}
    return Profile(title, [str(name) for name in scores], ends, steps)


def figure(info: Profile) -> Figure:
    """A panel per method with its band, the other methods grey behind it.

    Higher is better. If lines cross, the better method depends on the accuracy that is required.
    """
    look_by_method = looks(info.methods)

    def panel(name: str, ax: Axes) -> None:
        """Draw the profile of one method."""
        for other, (accuracies, share, _, _) in info.steps.items():
            if other != name:
                ax.step(accuracies, share, where="pre", color="#BBBBBB", linewidth=0.6)
        colour = look_by_method[name].colour
        accuracies, share, low, high = info.steps[name]
        ax.fill_between(accuracies, low, high, color=colour, alpha=0.2, linewidth=0, step="pre")
        ax.step(accuracies, share, where="pre", color=colour)
        ax.set_xlim(info.ends)
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))

    return multiples(list(info.steps), panel, ("test accuracy (%)", "runs that reach it"))


def _steps(
    scores: Float[np.ndarray, "runs"], ends: tuple[float, float], rng: np.random.Generator
) -> Float[np.ndarray, "4 steps"]:
    accuracies = np.unique(scores[np.isfinite(scores)])
    if accuracies.size > STEPS:
        accuracies = np.quantile(accuracies, np.linspace(0, 1, STEPS), method="nearest")
    accuracies = np.array([ends[0], *accuracies, ends[1]])
    return np.stack([accuracies, *stats.profile(scores, accuracies, rng)])
