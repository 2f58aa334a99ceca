"""What a table of all cells says about single operations on edges, and what scores of operations say about cells.

Accuracies of cells come in the order of the architectures' codes, NaN where a table holds none, so that they can be
seen as an array with one axis per edge.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from benchharness.space import CONV1, CONV3, EDGES, OPS

Reduce = Literal["mean", "max"]
Cells = Float[np.ndarray, "archs"]
Scores = Float[np.ndarray, "edges ops"]

_GRID = (len(OPS),) * len(EDGES)


def edge_truth(accuracy_pct: Cells, reduce: Reduce = "mean") -> Scores:
    """Mean (or best) accuracy of the cells with operation o on edge e; NaN where no cell has a figure."""
    grid = accuracy_pct.reshape(_GRID)
    return np.stack([_by_op(grid, edge, reduce) for edge in range(len(EDGES))])


def conditional_truth(
    accuracy_pct: Cells, arch: Int[np.ndarray, "edges"], order: Int[np.ndarray, "edges"], reduce: Reduce = "mean"
) -> Scores:
    """The truth that a sequential selection faces: `edge_truth` among the cells that share the edges decided before.

    Edges are decided in `order`; row e takes only cells that carry `arch`'s operations on every edge that precedes e
    in it. The first edge's row is thus the unconditional one, and the last one's compares five single cells.
    """
    grid, truth = accuracy_pct.reshape(_GRID), np.full((len(EDGES), len(OPS)), np.nan)
    for edge in order.tolist():
        truth[edge] = _by_op(grid, edge, reduce)
        grid = grid.take([arch[edge]], axis=edge)
    return truth


def cell_scores(scores: Scores) -> Cells:
    """A criterion's score of every cell: the sum over edges of its score of the operation there.

    An edge without any score (a dead one) adds nothing; a cell with an operation that was no candidate scores NaN.
    """
    known = np.where(np.isfinite(scores).any(-1, keepdims=True), scores, 0.0)
    return np.asarray(sum(np.ix_(*known))).ravel()


def parameter_counts() -> Float[np.ndarray, "ops"]:
    """Weights of each operation relative to a 1x1 convolution: the null every ranking of operations must beat."""
    counts = np.zeros(len(OPS))
    counts[CONV1], counts[CONV3] = 1, 9
    return counts


def _by_op(grid: Float[np.ndarray, "..."], edge: int, reduce: Reduce) -> Float[np.ndarray, "ops"]:
    rows = np.moveaxis(grid, edge, 0).reshape(len(OPS), -1)
    held = np.isfinite(rows)
    number = held.sum(-1)
    if reduce == "max":
        return np.where(number > 0, np.where(held, rows, -np.inf).max(-1), np.nan)
    total = np.where(held, rows, 0.0).sum(-1)
    return np.asarray(np.divide(total, number, out=np.full(len(OPS), np.nan), where=number > 0))
