"""Kendall's tau-b for rankings of cells and of operations, and its variants."""

import math

import numpy as np
from jaxtyping import Bool, Float
from scipy import special, stats

from benchharness.errors import UserError
from benchharness.stats.interval import Interval

Scores = Float[np.ndarray, "archs"]

PAIRWISE_UP_TO = 400
"""Most entries of a ranking for which comparing all pairs at once is faster than SciPy's sorting."""
CHUNK = 1 << 16
"""Number of pairs compared at a time: few enough for the processor's cache."""


def tau(scores: Scores, truth: Scores) -> float:
    """Kendall's tau-b of two rankings over the entries finite in both; NaN if either has no two different values."""
    finite = np.isfinite(scores) & np.isfinite(truth)
    if finite.sum() < 2:
        return np.nan
    return float(stats.kendalltau(scores[finite], truth[finite]).statistic)


def taus(scores: Float[np.ndarray, "runs archs"], truth: Float[np.ndarray, "runs archs"]) -> Float[np.ndarray, "runs"]:
    """`tau` of every row, with the same bits, computed together."""
    if scores.shape[1] > PAIRWISE_UP_TO:
        return np.array([tau(*row) for row in zip(scores, truth, strict=True)])
    agree, first, second = _pairs(scores, truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip(agree / np.sqrt(first) / np.sqrt(second), -1, 1)  # divided twice, as SciPy does


def tau_interval(scores: Scores, truth: Scores, level: float = 0.95) -> Interval:
    """`tau` of a sample of entries, with a confidence interval of the tau in the population of the sample.

    By the jackknife over entries and Fisher's z; bounds are NaN if fewer than three entries are finite in both.
    """
    finite = np.isfinite(scores) & np.isfinite(truth)
    x, y, n = scores[finite], truth[finite], int(finite.sum())
    value = tau(x, y)
    if n < 3 or not np.isfinite(value):
        return Interval(value, np.nan, np.nan, n)
    sums_of_entry = np.array([_with_others(x[entry], y[entry], x, y) for entry in range(n)])
    agree, untied_x, untied_y = (
        sums_of_entry.sum(axis=0) - 2 * sums_of_entry
    ).T  # pairs without one entry, counted twice
    scale = np.sqrt(untied_x * untied_y)
    without = np.divide(agree, scale, out=np.full(n, value), where=scale > 0)
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    if error == 0:
        return Interval(value, value, value, n)
    reach = special.ndtri((1 + level) / 2) * error / max(1 - value**2, np.finfo(float).eps)
    middle = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    return Interval(value, float(np.tanh(middle - reach)), float(np.tanh(middle + reach)), n)


def _with_others(x: float, y: float, xs: Scores, ys: Scores) -> tuple[int, int, int]:
    """Over the pairs of one entry with all others: concordant minus discordant, untied in x, untied in y."""
    above, below, higher, lower = xs > x, xs < x, ys > y, ys < y
    agree = _count(above & higher) + _count(below & lower) - _count(above & lower) - _count(below & higher)
    return agree, _count(above) + _count(below), _count(higher) + _count(lower)


def _count(true: Bool[np.ndarray, "archs"]) -> int:
    return int(np.count_nonzero(true))


def top_tau(scores: Scores, truth: Scores, share: float = 0.1) -> float:
    """Tau-b among the `share` of entries with the best truth (Ning et al. 2021), ties at the border included."""
    return tau(scores, top(scores, truth, share))


def top(scores: Scores, truth: Scores, share: float = 0.1) -> Scores:
    """`truth` with NaN outside the best `share`, as used by `top_tau`; raises `UserError` for a bad `share`."""
    if not 0 < share <= 1:
        raise UserError(f"share={share} is out of range; expected a share above 0 and at most 1")
    finite = np.isfinite(scores) & np.isfinite(truth)
    if not finite.any():
        return np.full(truth.shape, np.nan)
    return np.where(finite & (truth >= np.quantile(truth[finite], 1 - share, method="higher")), truth, np.nan)


def sparse_tau(scores: Scores, accuracy_pct: Scores, bin_pct: float = 0.1) -> float:
    """Tau-b after rounding the truth to `bin_pct` points, so that differences below noise are ties (Yu et al. 2020)."""
    return tau(scores, sparse(accuracy_pct, bin_pct))


def sparse(accuracy_pct: Float[np.ndarray, "*runs archs"], bin_pct: float = 0.1) -> Float[np.ndarray, "*runs archs"]:
    """`accuracy_pct` in whole bins of `bin_pct` points."""
    return np.round(accuracy_pct / bin_pct)


def pairwise_tau(x: Float[np.ndarray, "*batch ops"], y: Float[np.ndarray, "*batch ops"]) -> Float[np.ndarray, "*batch"]:
    """Tau-b over the last axis of many short rankings at once; entries NaN in either are left out of their ranking."""
    agree, untied_x, untied_y = _pairs(x, y)
    scale = np.sqrt(untied_x * untied_y)
    return np.asarray(np.divide(agree, scale, out=np.full(scale.shape, np.nan), where=scale > 0))


def _pairs(x: Float[np.ndarray, "*batch ops"], y: Float[np.ndarray, "*batch ops"]) -> Float[np.ndarray, "3 *batch"]:
    """Over all pairs of entries: concordant minus discordant, untied in `x`, untied in `y`."""
    first, second = np.triu_indices(x.shape[-1], 1)
    xs, ys = (values.reshape(math.prod(x.shape[:-1]), x.shape[-1]) for values in (x, y))
    counts, step = np.zeros((3, len(xs))), max(1, CHUNK // max(1, first.size))
    for rows in (slice(start, start + step) for start in range(0, len(xs), step)):
        dx, dy = (np.sign(values[rows][:, first] - values[rows][:, second]) for values in (xs, ys))
        unknown = ~(np.isfinite(dx) & np.isfinite(dy))
        dx[unknown] = dy[unknown] = 0
        counts[:, rows] = np.vecdot(dx, dy), np.vecdot(dx, dx), np.vecdot(dy, dy)
    return counts.reshape(3, *x.shape[:-1])


def edge_taus(
    scores: Float[np.ndarray, "*#runs edges ops"], truth: Float[np.ndarray, "*#runs edges ops"], with_none: bool = True
) -> Float[np.ndarray, "*_ edges"]:
    """Tau-b between two scorings of the operations on each edge, with or without `none` (operation 0) among them.

    NaN marks edges where it is undefined: dead edges, and edges on which either scoring ties everything.
    """
    start = 0 if with_none else 1
    return pairwise_tau(*np.broadcast_arrays(scores[..., start:], truth[..., start:]))
