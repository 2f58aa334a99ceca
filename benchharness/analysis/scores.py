"""Measures how well scores of whole cells rank them against the table, compared with parameter counts."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness import space, stats
from benchharness.analysis.lookup import by_code
from benchharness.table import Tables

NULL: Final = "parameter count"
_TOP: Final = 0.1


class Agreement(NamedTuple):
    """Agreement of one kind of scores with the table's test accuracy."""

    name: str
    cells: int
    """Cells with a score and a figure."""
    undefined: int
    """Cells without a score."""
    tau: stats.Interval
    """With its interval where the cells are a sample; NaN bounds where they are all there are."""
    top_tau: float
    """Tau over the best tenth of those cells by the table; NaN if these are fewer than ten."""
    test: float
    """Test accuracy in percent of the cell that scores best."""
    best: str
    """That cell."""


def against(
    codes: Int[np.ndarray, "archs"], scores: Mapping[str, Float[np.ndarray, "archs"]], dataset: str, tables: Tables
) -> list[Agreement]:
    """An `Agreement` for each of `scores`, then one for the parameter count, the null that each has to beat."""
    figures = by_code(tables, dataset, "test", own=True)
    sampled = len(codes) < space.SIZE or not np.isfinite(figures).all()
    params = space.params_m(space.all_ops()[codes])
    every = {**scores, NULL: params}
    return [_agreement(name, codes, values, figures[codes], sampled) for name, values in every.items()]


def _agreement(
    name: str,
    codes: Int[np.ndarray, "archs"],
    values: Float[np.ndarray, "archs"],
    truth: Float[np.ndarray, "archs"],
    sampled: bool,
) -> Agreement:
    is_finite = np.isfinite(values) & np.isfinite(truth)
    top = is_finite & (truth >= np.quantile(truth[is_finite], 1 - _TOP)) if is_finite.any() else is_finite
    top_tau = stats.tau(values[top], truth[top]) if top.sum() >= 10 else np.nan
    best = int(np.nanargmax(values)) if np.isfinite(values).any() else -1
    arch = space.to_string(space.from_code(int(codes[best]))) if best >= 0 else ""
    test = float(truth[best]) if best >= 0 else np.nan
    cells = int(is_finite.sum())
    estimate = stats.Interval(stats.tau(values, truth), np.nan, np.nan, cells)
    tau = stats.tau_interval(values, truth) if sampled else estimate
    return Agreement(name, cells, int(np.isnan(values).sum()), tau, top_tau, test, arch)
