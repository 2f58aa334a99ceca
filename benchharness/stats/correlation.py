"""Kendall's tau-b in the forms that rankings of cells and of operations need."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from benchharness.errors import UserError

Scores = Float[np.ndarray, "archs"]


def tau(scores: Scores, truth: Scores) -> float:
    """Kendall's tau-b of two rankings over the entries finite in both; NaN where fewer than two differ in each."""
    kept = np.isfinite(scores) & np.isfinite(truth)
    if kept.sum() < 2:
        return np.nan
    return float(stats.kendalltau(scores[kept], truth[kept]).statistic)


def top_tau(scores: Scores, truth: Scores, share: float = 0.1) -> float:
    """Tau-b among the `share` of entries with the best truth (Ning et al. 2021), ties at the border included."""
    if not 0 < share <= 1:
        raise UserError(f"share={share} is no share; expected one above 0 and at most 1")
    kept = np.isfinite(scores) & np.isfinite(truth)
    if not kept.any():
        return np.nan
    best = kept & (truth >= np.quantile(truth[kept], 1 - share, method="higher"))
    return tau(scores[best], truth[best])


def sparse_tau(scores: Scores, accuracy_pct: Scores, bin_pct: float = 0.1) -> float:
    """Tau-b after rounding the truth to `bin_pct` points, so that differences below noise are ties (Yu et al. 2020)."""
    return tau(scores, np.round(accuracy_pct / bin_pct))


def pairwise_tau(x: Float[np.ndarray, "*batch ops"], y: Float[np.ndarray, "*batch ops"]) -> Float[np.ndarray, "*batch"]:
    """Tau-b over the last axis of many short rankings at once; entries NaN in either are left out of their ranking."""
    first, second = np.triu_indices(x.shape[-1], 1)
    dx, dy = np.sign(x[..., first] - x[..., second]), np.sign(y[..., first] - y[..., second])
    both = np.isfinite(dx) & np.isfinite(dy)
    dx, dy = np.where(both, dx, 0), np.where(both, dy, 0)
    scale = np.sqrt((dx**2).sum(-1) * (dy**2).sum(-1))
    return np.asarray(np.divide((dx * dy).sum(-1), scale, out=np.full(scale.shape, np.nan), where=scale > 0))


def edge_taus(
    scores: Float[np.ndarray, "*#runs edges ops"], truth: Float[np.ndarray, "*#runs edges ops"], with_none: bool = True
) -> Float[np.ndarray, "*_ edges"]:
    """Tau-b between two scorings of the operations on each edge, with or without `none` (operation 0) among them.

    NaN marks edges where it is undefined: dead edges, and edges on which either scoring ties everything.
    """
    start = 0 if with_none else 1
    return pairwise_tau(*np.broadcast_arrays(scores[..., start:], truth[..., start:]))
