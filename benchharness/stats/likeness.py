"""Tests whether cells of two search settings differ more than cells of two seeds, and whether cells of seeds agree."""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness.stats.significance import Flips, share_as_far

Cells = Int[np.ndarray, "seeds edges"]
Equal = Float[np.ndarray, "seeds seeds"]
DRAWS: Final = 9_999
"""Simulated sets of cells behind the p of an agreement."""


class Likeness(NamedTuple):
    """Mean numbers of edges with equal operations in two cells, and a test whether two sets of cells differ."""

    paired: float
    """Mean over pairs of cells from the two sides with the same seed."""
    crossed: float
    """Mean over pairs of cells from the two sides with different seeds."""
    within: tuple[float, float]
    """Mean over pairs of cells of one side with different seeds, for each side."""
    p: float
    """p-value of the hypothesis that both sides have the same distribution of operations on every edge."""
    n: int
    """Number of seeds that both sides have."""


class SeedAgreement(NamedTuple):
    """How often the cells of two seeds have the same operation on an edge."""

    share: float
    """Mean over pairs of seeds and over edges, 0 to 1; NaN for one seed."""
    p: float
    """One-sided p of that share if every operation of every cell had been drawn uniformly; NaN for one seed."""
    n: int
    """Number of seeds."""


def seed_agreement(cells: Cells, operations: int) -> SeedAgreement:
    """Agreement of the seeds' `cells`, codes below `operations`; p by `DRAWS` simulated sets of cells, always the same.

    Which sets are simulated depends on the numbers of seeds, edges and operations alone.
    """
    n, edges = cells.shape
    if n < 2:
        return SeedAgreement(np.nan, np.nan, n)
    observed, chance = int(_agreeing_pairs(cells[None], operations)[0]), _chance(n, edges, operations)
    return SeedAgreement(observed / (n * (n - 1) / 2 * edges), (1 + int((chance >= observed).sum())) / (1 + DRAWS), n)


@cache
def _chance(seeds: int, edges: int, operations: int) -> Int[np.ndarray, "sets"]:
    drawn = np.random.default_rng(0).integers(operations, size=(DRAWS, seeds, edges), dtype=np.int8)
    return _agreeing_pairs(drawn, operations)


def _agreeing_pairs(cells: Int[np.ndarray, "sets seeds edges"], operations: int) -> Int[np.ndarray, "sets"]:
    """The number of pairs of seeds with the same operation, summed over edges."""
    counts = np.stack([(cells == op).sum(1, dtype=np.int64) for op in range(operations)])
    return (counts * (counts - 1) // 2).sum((0, -1))


def likeness(a: Cells, b: Cells, rng: np.random.Generator) -> Likeness:
    """Compare cells given as operation codes, row i of `a` and of `b` from the same seed.

    The statistic is the energy distance (Székely & Rizzo 2013, "Energy statistics") with the number of differing edges
    as the distance, without pairs of one seed: an unbiased estimate of the squared differences of operation
    frequencies, summed over edges and operations. Its p is one-sided, by exchanging the sides within seeds (see
    `share_as_far`); 1 for one seed, NaN without seeds.
    """
    n = len(a)
    same = float((a == b).sum(-1).mean()) if n else np.nan
    if n < 2:
        return Likeness(same, np.nan, (np.nan, np.nan), 1.0 if n else np.nan, n)
    in_a, in_b, between = _equal(a, a), _equal(b, b), _equal(a, b)
    is_other_seed = ~np.eye(n, dtype=bool)
    within = float(in_a[is_other_seed].mean()), float(in_b[is_other_seed].mean())
    return Likeness(same, float(between[is_other_seed].mean()), within, _p(in_a, in_b, between, rng), n)


def _equal(a: Cells, b: Cells) -> Equal:
    """The number of edges with equal operations, for every pair of a cell of `a` and a cell of `b`."""
    return (a[:, None] == b[None]).sum(-1).astype(float)


def _p(in_a: Equal, in_b: Equal, between: Equal, rng: np.random.Generator) -> float:
    """The share of exchanges with at least the observed distance; exchanging a seed flips the sign of its row."""
    kernel = in_a + in_b - between - between.T
    np.fill_diagonal(kernel, 0)
    least = kernel.sum() - 0.5  # sums are whole numbers

    def as_far(flips: Flips) -> int:
        """The number of exchanges with at least the observed distance."""
        signs = 1.0 - 2.0 * flips
        return int((((signs @ kernel) * signs).sum(-1) >= least).sum())

    return share_as_far(len(kernel), as_far, rng)
