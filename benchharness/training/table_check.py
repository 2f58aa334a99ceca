"""Trains architectures anew and compares their accuracy with a table's: do our networks match those of the table?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from benchharness import space
from benchharness.errors import UserError
from benchharness.seeding import seed_for
from benchharness.table import Metric, Table
from benchharness.training.journal import Journal


class Comparison(NamedTuple):
    """One architecture's figure from training it here, and from the table."""

    arch_index: int
    metric: Metric
    ours: Float[np.ndarray, "seeds"]
    """Percent, one figure per training seed."""
    theirs: float
    """The table's mean over its training seeds, percent."""
    noise: float
    """Standard deviation of the table's own trainings of this architecture, in points; NaN where it has not several."""
    noise_epochs: int
    """Epochs of the trainings that `noise` is of: a table may have single trainings of its longest ones only."""

    @property
    def difference(self) -> float:
        """Our mean less the table's, in points."""
        return float(self.ours.mean() - self.theirs)


def chosen(table: Table, archs: Sequence[str], sample: int, metric: Metric) -> list[int]:
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
        for index in indices:
            code = int(space.order()[index])
            ours = np.array([getattr(trainings[code, seed], split) for seed in range(seeds)], float)
            theirs = float(table.accuracy(index, *metric))
            comparisons.append(Comparison(index, metric, ours, theirs, *_noise(table, index, metric)))
    return comparisons


def _noise(table: Table, index: int, metric: Metric) -> tuple[float, int]:
    """The table's own seed noise of an architecture, at the figure's epochs or else at the next longer ones it has."""
    longer = sorted(other for other in table.by_seed if other[:2] == metric[:2] and other.epochs >= metric.epochs)
    for other in longer:
        runs = table.by_seed[other][table.rows(index)]
        runs = runs[~np.isnan(runs)]
        if len(runs) > 1:
            return float(runs.std(ddof=1)), other.epochs
    return float("nan"), metric.epochs
