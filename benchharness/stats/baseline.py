"""Random baselines: a random cell, and the best of N random cells."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from benchharness.errors import UserError


class Expected(NamedTuple):
    """Mean and standard deviation of a random baseline's accuracy, in percent."""

    mean: float
    std: float


def best_of_random(feedback: Float[np.ndarray, "archs"], accuracy_pct: Float[np.ndarray, "archs"], n: int) -> Expected:
    """Accuracy of the cell with the best `feedback` among `n` drawn uniformly, with replacement; exact, not simulated.

    The best of n is among the i lowest of M cells with probability (i/M)^n; tied cells share their probability. Cells
    that lack one of the two figures are left out. Raises `UserError` for n below 1.
    """
    if n < 1:
        raise UserError(f"n={n} draws; expected 1 or more")
    complete = np.isfinite(feedback) & np.isfinite(accuracy_pct)
    _, group, size = np.unique(feedback[complete], return_inverse=True, return_counts=True)
    probabilities = np.diff((np.cumsum(size) / size.sum()) ** n, prepend=0.0) / size
    weights, values = probabilities[group], accuracy_pct[complete]
    mean = float(weights @ values)
    return Expected(mean, float(np.sqrt(weights @ (values - mean) ** 2)))


def relative_improvement(
    accuracy_pct: Float[np.ndarray, "*runs"], baseline_pct: float | Float[np.ndarray, "*runs"]
) -> Float[np.ndarray, "*runs"]:
    """100 (accuracy - baseline) / baseline, in percent of the baseline (Yang et al. 2020)."""
    return np.asarray(100 * (accuracy_pct - baseline_pct) / baseline_pct)


def percentiles(values: Float[np.ndarray, "runs"], known: Float[np.ndarray, "archs"]) -> Float[np.ndarray, "runs"]:
    """Percentiles (0 to 100) of `values` among the values of all cells; ties get the middle of their range."""
    below, up_to = (np.searchsorted(known, values, side) for side in ("left", "right"))
    return np.asarray(100 * (below + up_to) / (2 * known.size))


def random_percentile_p(values: Float[np.ndarray, "runs"], known: Float[np.ndarray, "archs"]) -> float:
    """Two-sided p of the mean percentile of `values` among the sorted `known` ones, had each been drawn from these.

    The sum of n independent uniform numbers has the Irwin-Hall distribution (Irwin 1927, Hall 1927). A value that
    several cells share counts as the highest of their ranks where p is of low sums, as the lowest where it is of high
    ones, which makes p exact for one value and never too small. The test has power with few runs: three cells at the
    97th percentile have p = 0.0002. NaN without values.
    """
    if not values.size:
        return np.nan
    below, up_to = (np.searchsorted(known, values, side).sum() / known.size for side in ("left", "right"))
    law = stats.irwinhall(values.size)
    return float(min(1.0, 2 * min(law.cdf(up_to), law.sf(below))))
