"""Trains architectures anew and compares their accuracy with a table's: do our networks match those of the table?"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchharness import space
from benchharness.errors import UserError
from benchharness.seeding import seed_for
from benchharness.table import Metric, Table
from benchharness.table.table import codes as codes_of
from benchharness.training.journal import Journal

NEAR: Final = 3.0
"""Points of accuracy: the noise of a figure depends on its height, and is taken from figures of about the same."""
ENOUGH: Final = 20
"""Differences between equal cells that an estimate of noise takes."""


class Comparison(NamedTuple):
    """One architecture's figure from training it here, and from the table."""

    arch_index: int
    metric: Metric
    ours: Float[np.ndarray, "seeds"]
    """Percent, one figure per training seed."""
    theirs: float
    """The table's mean over its training seeds, percent."""
    noise: float
    """Standard deviation of the table's figure over trainings, in points; NaN if the table cannot tell."""
    noise_of: str
    """The trainings that `noise` is of: empty for this architecture's own, after as many epochs."""
    equals: Float[np.ndarray, "archs"]
    """The table's figures of all cells that compute the same, this one among them, each trained by itself; percent."""

    @property
    def difference(self) -> float:
        """Our mean less the table's, in points."""
        return float(self.ours.mean() - self.theirs)


def rows_to_compare(table: Table, archs: Sequence[str], sample: int, metric: Metric) -> list[int]:
    """The indices of what to compare: of `archs`, else of `sample` architectures with the figure, drawn by seed.

    Raises `UserError` where the table lacks the figure, or so many architectures.
    """
    available = np.flatnonzero(~np.isnan(table.accuracy(None, *metric)))
    if archs:
        indices = [table.index(arch) for arch in archs]
        table.accuracy(np.array(indices), *metric)
        return indices
    if not 1 <= sample <= len(available):
        raise UserError(
            f"sample={sample} is out of range; the table has 1 to {len(available)} architectures with {metric}"
        )
    rng = np.random.default_rng(seed_for("table check", metric.dataset))
    return table.numbers[sorted(rng.choice(available, sample, replace=False))].tolist()


def compare(table: Table, indices: Sequence[int], journal: Journal, seeds: int) -> list[Comparison]:
    """Every figure that the journal's recipe measures and the table holds, for every architecture of `indices`."""
    trainings = journal.trainings()
    comparisons = []
    for metric, split in journal.figures().items():
        if metric not in table.figures():
            continue
        equal_cells = EqualCells(table, metric)
        for index in indices:
            code = int(space.order()[index])
            ours = np.array([getattr(trainings[code, seed], split) for seed in range(seeds)], float)
            theirs = float(table.accuracy(index, *metric))
            noise = _noise(table, index, metric, equal_cells.noise(theirs))
            comparisons.append(Comparison(index, metric, ours, theirs, *noise, equal_cells.of(code)))
    return comparisons


class EqualCells:
    """The figures of cells that compute the same function, which a benchmark's table trained each by itself.

    They tell how far a figure varies from training to training where the table keeps one figure a cell. In a table
    that was trained here they share one training, and tell nothing.
    """

    def __init__(self, table: Table, metric: Metric) -> None:
        self._figures = pd.Series(table.accuracy(None, *metric), space.classes()[codes_of(table.ops)]).dropna()
        if "recipe" in table.about:
            self._figures = self._figures.iloc[:0]
        self._classes = self._figures.groupby(level=0).agg(["mean", "var", "count"])

    def of(self, code: int) -> Float[np.ndarray, "archs"]:
        """The figures of all cells that compute what the cell of this code computes."""
        return self._figures[self._figures.index == space.classes()[code]].to_numpy()

    def noise(self, accuracy: float) -> float:
        """Standard deviation of one figure within classes whose mean is `NEAR` points or less from `accuracy`.

        NaN where fewer than `ENOUGH` differences stand behind it.
        """
        near = self._classes[(self._classes["mean"] - accuracy).abs() <= NEAR]
        freedom = near["count"] - 1
        if freedom.sum() < ENOUGH:
            return float("nan")
        return float(np.sqrt((near["var"].fillna(0) * freedom).sum() / freedom.sum()))


def _noise(table: Table, index: int, metric: Metric, among_equals: float) -> tuple[float, str]:
    """The seed noise of a figure: of the cell's own trainings, else of equal cells, else of longer trainings."""
    longer = sorted(other for other in table.by_seed if other[:2] == metric[:2] and other.epochs > metric.epochs)
    own = {other: _own_noise(table, index, other) for other in (metric, *longer) if other in table.by_seed}
    named = [(own.pop(metric, float("nan")), ""), (among_equals, "equal cells")]
    named += [(noise, f"after {other.epochs} epochs") for other, noise in own.items()]
    return next(((noise, name) for noise, name in named if not np.isnan(noise)), (float("nan"), ""))


def _own_noise(table: Table, index: int, metric: Metric) -> float:
    runs = table.by_seed[metric][table.rows(index)]
    runs = runs[~np.isnan(runs)]
    return float(runs.std(ddof=1)) if len(runs) > 1 else float("nan")
