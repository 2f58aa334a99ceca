"""Pareto fronts of accuracy and cost."""

import numpy as np
from jaxtyping import Float, Int


def front(costs: Float[np.ndarray, "points"], values: Float[np.ndarray, "points"]) -> Int[np.ndarray, "front"]:
    """The Pareto front, cheapest first: places of points that are better than every point that costs no more.

    Of equal points the first counts; points without a cost or a value are left out.
    """
    finite_rows = np.flatnonzero(np.isfinite(costs) & np.isfinite(values))
    ordered = finite_rows[np.lexsort((-values[finite_rows], costs[finite_rows]))]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(values[ordered])[:-1]])
    return ordered[values[ordered] > best_before[: len(ordered)]]


def excess(
    costs: Float[np.ndarray, "points"],
    values: Float[np.ndarray, "points"],
    front_costs: Float[np.ndarray, "front"],
    front_values: Float[np.ndarray, "front"],
) -> Float[np.ndarray, "points"]:
    """How many times the cost of the cheapest point of the front that is as good; NaN if there is none.

    The front is in the order of `front`. One is the front itself; below it are points that the front does not know.
    """
    position = np.searchsorted(front_values, values, side="left")
    cheapest = np.append(front_costs, np.nan)[np.where(np.isnan(values), len(front_costs), position)]
    return np.asarray(costs / cheapest)
