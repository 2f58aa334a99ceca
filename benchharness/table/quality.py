"""Quality of a table as ground truth: coverage, spread of its accuracies, and noise between training seeds."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness import space, stats
from benchharness.table.metric import Metric
from benchharness.table.table import Table, codes


class Coverage(NamedTuple):
    """Coverage of the 15,625 architectures, and of their 6,466 functional classes."""

    architectures: int
    classes: int
    measured_here: int
    """Further architectures, trained on this machine."""

    @property
    def complete(self) -> bool:
        """Whether the table has every architecture."""
        return self.architectures == space.SIZE

    def __str__(self) -> str:
        if self.complete:
            return f"all {space.SIZE:,} architectures"
        added = f" and {self.measured_here:,} trained besides" if self.measured_here else ""
        share = f"{self.architectures:,} of {space.SIZE:,} architectures"
        return f"{share} ({self.classes:,} of {CLASSES:,} functional classes){added}"


class Spread(NamedTuple):
    """Percentiles of a figure over the architectures of a table, in percent of accuracy."""

    tenth: float
    median: float
    ninetieth: float

    @property
    def points(self) -> float:
        """Points between the 10th and the 90th percentile."""
        return self.ninetieth - self.tenth


class Noise(NamedTuple):
    """Noise of a metric between training seeds, over separately trained networks."""

    trained: int
    """Networks trained on their own: members of a class that share its training count once."""
    points: float
    """Root of the mean variance of an architecture's accuracy over training seeds."""
    spread: float
    """Points between the 10th and the 90th percentile of the mean accuracies of the same networks."""
    tau: float
    """Kendall's tau-b between two training seeds' rankings, the mean over pairs of seeds."""


FEW = 30
"""Fewest architectures for percentiles; with fewer, one architecture is more than three percent."""
LEAST_TAU = 0.3
"""Smallest tau between training seeds of a reliable order; at 1/3, two of three pairs agree."""
CLASSES = 6_466
"""Functional classes of the space."""


def coverage(table: Table) -> Coverage:
    """The coverage of `table`."""
    is_own = ~table.measured_here
    classes = CLASSES if is_own.sum() == space.SIZE else len(np.unique(space.classes()[codes(table.ops[is_own])]))
    return Coverage(int(is_own.sum()), classes, len(table.rows_measured_here))


def spread(table: Table, metric: Metric) -> Spread:
    """Percentiles over the architectures of `table`."""
    return Spread(*map(float, np.nanpercentile(table.means[metric], [10, 50, 90])))


def noise(table: Table, metric: Metric) -> Noise | None:
    """The noise of `metric` between training seeds; None if no architecture was trained twice."""
    runs = table.by_seed.get(metric, np.empty((len(table), 0)))[training_rows(table, metric)]
    if not len(several := runs[np.isfinite(runs).sum(1) > 1]):
        return None
    pairs = [stats.tau(runs[:, a], runs[:, b]) for a, b in combinations(range(runs.shape[1]), 2)]
    points = float(np.sqrt(np.nanvar(several, axis=1, ddof=1).mean()))
    low, high = map(float, np.percentile(np.nanmean(several, axis=1), [10, 90]))
    return Noise(len(several), points, high - low, _mean(pairs))


def cannot_rank(table: Table, metric: Metric) -> str:
    """Why ranks and percentiles by `metric` are not meaningful, as a clause; empty if they are.

    They need enough networks, and agreement between the rankings of two trainings of the same networks.
    """
    count = int((np.isfinite(table.means[metric]) & ~table.measured_here).sum())
    if count < FEW:
        return f"it holds {count} architectures with {metric}, and rank and percentile among so few say next to nothing"
    figure_noise = noise(table, metric)
    if figure_noise is None:
        return ""
    if not figure_noise.tau >= LEAST_TAU:
        agree = f"two trainings of the same networks agree on their order by tau {figure_noise.tau:.2f} only"
        return f"{agree} ({figure_noise.trained:,} networks, {metric})"
    if figure_noise.points >= figure_noise.spread:
        reason = f"points between training seeds are as many as its networks lie apart ({figure_noise.spread:.2f})"
        return f"{figure_noise.points:.2f} {reason}, {metric}"
    return ""


def tau_between(table: Table, first: Metric, second: Metric) -> float:
    """Kendall's tau-b between two figures over the networks that have both."""
    rows = training_rows(table, first)
    return stats.tau(table.means[first][rows], table.means[second][rows])


def training_rows(table: Table, metric: Metric) -> Int[np.ndarray, "trainings"]:
    """Rows of the table, one per training behind `metric`: architectures of a class with the same runs count once."""
    if table.complete and metric.dataset in space.NETWORKS and "network" not in table.about:
        return np.arange(len(table))  # the benchmark trained every architecture
    class_and_runs = np.column_stack([space.classes()[codes(table.ops)], np.nan_to_num(_values(table, metric), nan=-1)])
    return np.sort(np.unique(class_and_runs, axis=0, return_index=True)[1])


def _values(table: Table, metric: Metric) -> Float[np.ndarray, "archs values"]:
    return np.column_stack([table.means[metric], table.by_seed.get(metric, np.empty((len(table), 0)))])


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else np.nan
