"""How well scores of whole cells rank them against the table, compared with parameter count alone."""

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
    """One scoring of cells against the table's test accuracy."""

    name: str
    cells: int
    """Cells with a score and a figure."""
    undefined: int
    """Cells without a score."""
    tau: float
    top_tau: float
    """Over the best tenth of those cells by the table; NaN where that is fewer than ten."""
    test: float
    """Test accuracy in percent of the cell that scores best."""
    best: str
    """That cell."""


def against(
    codes: Int[np.ndarray, "archs"], scores: Mapping[str, Float[np.ndarray, "archs"]], dataset: str, tables: Tables
) -> list[Agreement]:
    """An `Agreement` for each of `scores`, then one for the parameter count, the null that each has to beat."""
    truth = by_code(tables, dataset, "test", own=True)[codes]
    params = space.params_m(space.all_ops()[codes])
    return [_agreement(name, codes, values, truth) for name, values in {**scores, NULL: params}.items()]


def _agreement(
    name: str,
    codes: Int[np.ndarray, "archs"],
    values: Float[np.ndarray, "archs"],
    truth: Float[np.ndarray, "archs"],
) -> Agreement:
    known = np.isfinite(values) & np.isfinite(truth)
    top = known & (truth >= np.quantile(truth[known], 1 - _TOP)) if known.any() else known
    top_tau = stats.tau(values[top], truth[top]) if top.sum() >= 10 else np.nan
    best = int(np.nanargmax(values)) if np.isfinite(values).any() else -1
    arch = space.to_string(space.from_code(int(codes[best]))) if best >= 0 else ""
    test = float(truth[best]) if best >= 0 else np.nan
    tau = stats.tau(values[known], truth[known]) if known.sum() > 1 else np.nan
    return Agreement(name, int(known.sum()), int(np.isnan(values).sum()), tau, top_tau, test, arch)
