"""Performance profile: the share of a method's runs that reach an accuracy, for every accuracy."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchharness import stats
from benchharness.plots.style import looks, multiples


class Profile(NamedTuple):
    """By method: the share of runs at or above each threshold (percent accuracy), and its 95 % bootstrap band."""

    title: str
    methods: list[str]
    thresholds: Float[np.ndarray, "thresholds"]
    shares: dict[str, Float[np.ndarray, "3 thresholds"]]


def data(scores: pd.DataFrame, rng: np.random.Generator, title: str = "") -> Profile:
    """From a frame of accuracies with a column per method and a row per seed (NaN: missing)."""
    scores_there = scores.dropna(axis="columns", how="all")
    low, high = np.nanmin(scores_there.to_numpy()), np.nanmax(scores_there.to_numpy())
    margin = max(0.05 * (high - low), 0.1)
    thresholds = np.linspace(low - margin, high + margin, 200)
    return Profile(
        title,
        [str(name) for name in scores],
        thresholds,
        {str(n): stats.profile(scores_there[n].to_numpy(), thresholds, rng) for n in scores_there},
    )


def figure(info: Profile) -> Figure:
    """A panel per method with its band, the other methods grey behind it.

    Higher is better. If lines cross, the better method depends on the accuracy that is required.
    """
    look_by_method = looks(info.methods)

    def panel(name: str, ax: Axes) -> None:
        """Draw the profile of one method."""
        for other, (share, _, _) in info.shares.items():
            if other != name:
                ax.step(info.thresholds, share, where="mid", color="#BBBBBB", linewidth=0.6)
        share, low, high = info.shares[name]
        ax.fill_between(
            info.thresholds, low, high, color=look_by_method[name].colour, alpha=0.2, linewidth=0, step="mid"
        )
        ax.step(info.thresholds, share, where="mid", color=look_by_method[name].colour)
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))

    return multiples(list(info.shares), panel, ("test accuracy (%)", "runs that reach it"))
