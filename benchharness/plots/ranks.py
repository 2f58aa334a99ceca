"""Critical-difference diagram (Demsar 2006): mean ranks over seeds, and groups without significant differences."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from benchharness.plots.style import labelled, scatter

LEVEL = 0.05


class Ranks(NamedTuple):
    """Mean rank by method, best first, and groups without a significant difference, as first and last place."""

    methods: list[str]
    mean_ranks: list[float]
    groups: list[tuple[int, int]]
    seeds: int
    friedman_p: float

    def friedman_in_words(self) -> str:
        """A sentence on Friedman's test of equal ranks."""
        return f"Friedman's test of equal ranks over {self.seeds} seeds: p={self.friedman_p:.3f}"


def data(scores: pd.DataFrame, comparisons: pd.DataFrame) -> Ranks:
    """From a frame of accuracies, a column per method and a row per seed, and its paired tests: `a`, `b`, `holm`.

    A pair without a test, such as one without shared seeds, counts as not significantly different.
    """
    complete = scores.dropna(axis="columns", how="all").dropna()
    ranks = complete.rank(axis="columns", ascending=False).mean().sort_values(kind="stable")
    names = [str(name) for name in ranks.index]
    distinct_pairs = {
        frozenset((row["a"], row["b"])) for row in comparisons[comparisons["holm"] < LEVEL].to_dict("records")
    }
    enough = len(names) > 2 and len(complete) > 1 and complete.nunique(axis="columns").max() > 1
    p = float(stats.friedmanchisquare(*(complete[name] for name in ranks.index)).pvalue) if enough else np.nan
    return Ranks(names, ranks.tolist(), _groups(names, distinct_pairs), len(complete), p)


def draw(info: Ranks, ax: Axes) -> Axes:
    """Draw a point per method at its mean rank; vertical bars join methods without a significant difference."""
    points = pd.DataFrame({"method": info.methods, "rank": info.mean_ranks, "row": range(len(info.methods))})
    scatter(points, "rank", "row", info.methods, ax, s=49, linewidth=0, legend=False)
    most = len(info.methods)
    for index, (first, last) in enumerate(info.groups):
        x = most + 0.8 + 0.35 * index
        ax.plot([x, x], [first - 0.25, last + 0.25], color="#444444", linewidth=3, solid_capstyle="round")
    ax.set(yticks=range(most), yticklabels=info.methods, ylim=(most - 0.4, -0.6))
    ax.set(xlim=(0.5, most + 1.2 + 0.35 * len(info.groups)), xticks=sorted({1, *range(5, most + 1, 5), most}))
    ax.grid(visible=False, axis="y")
    return labelled(ax, "mean rank over seeds (1 is best)")


def _groups(names: list[str], distinct_pairs: set[frozenset[str]]) -> list[tuple[int, int]]:
    """The longest ranges of neighbours, two or more, without a significantly different pair."""
    groups: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and not any(
            frozenset((names[last + 1], other)) in distinct_pairs for other in names[first : last + 1]
        ):
            last += 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups
