"""What a table of all cells says about single operations on edges, and what scores of operations say about cells."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from benchharness.space import CONV1, CONV3, EDGES, OPS

Reduce = Literal["mean", "max"]
Ops = UInt8[np.ndarray, "archs edges"]


def edge_truth(
    ops: Ops, accuracy_pct: Float[np.ndarray, "archs"], reduce: Reduce = "mean"
) -> Float[np.ndarray, "edges ops"]:
    """Mean (or best) accuracy of the cells with operation o on edge e; NaN where no cell has a figure."""
    return np.stack([_by_op(ops[:, edge], accuracy_pct, reduce) for edge in range(len(EDGES))])


def conditional_truth(
    ops: Ops,
    accuracy_pct: Float[np.ndarray, "archs"],
    arch: Int[np.ndarray, "edges"],
    order: Int[np.ndarray, "edges"],
    reduce: Reduce = "mean",
) -> Float[np.ndarray, "edges ops"]:
    """The truth that a sequential selection faces: `edge_truth` among the cells that share the edges decided before.

    Edges are decided in `order`; row e takes only cells that carry `arch`'s operations on every edge that precedes e
    in it. The first edge's row is thus the unconditional one, and the last one's compares five single cells.
    """
    truth = np.full((len(EDGES), len(OPS)), np.nan)
    for edge in order:
        truth[edge] = _by_op(ops[:, edge], accuracy_pct, reduce)
        kept = ops[:, edge] == arch[edge]
        ops, accuracy_pct = ops[kept], accuracy_pct[kept]
    return truth


def cell_scores(scores: Float[np.ndarray, "edges ops"], ops: Ops) -> Float[np.ndarray, "archs"]:
    """A criterion's score of whole cells: the sum over edges of its score of the operation there.

    An edge without any score (a dead one) adds nothing; a cell with an operation that was no candidate scores NaN.
    """
    known = np.where(np.isfinite(scores).any(-1, keepdims=True), scores, 0.0)
    return np.asarray(known[np.arange(len(EDGES)), ops].sum(-1))


def parameter_counts() -> Float[np.ndarray, "ops"]:
    """Weights of each operation relative to a 1x1 convolution: the null every ranking of operations must beat."""
    counts = np.zeros(len(OPS))
    counts[CONV1], counts[CONV3] = 1, 9
    return counts


def _by_op(
    column: UInt8[np.ndarray, "archs"], accuracy_pct: Float[np.ndarray, "archs"], reduce: Reduce
) -> Float[np.ndarray, "ops"]:
    kept = np.isfinite(accuracy_pct)
    column, accuracy_pct = column[kept], accuracy_pct[kept]
    if reduce == "max":
        best = np.full(len(OPS), -np.inf)
        np.maximum.at(best, column, accuracy_pct)
        return np.asarray(np.where(np.isfinite(best), best, np.nan))
    number = np.bincount(column, minlength=len(OPS))
    total = np.bincount(column, accuracy_pct, minlength=len(OPS))
    return np.asarray(np.divide(total, number, out=np.full(len(OPS), np.nan), where=number > 0))
