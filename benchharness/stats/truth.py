"""What a table of all cells says about single operations on edges, and what scores of operations say about cells.

Accuracies of cells come in the order of the architectures' codes, NaN if a table holds none, so that they can be
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
    """Mean (or best) accuracy of the cells with operation o on edge e; NaN if no cell has a figure."""
    grid = accuracy_pct.reshape(_GRID)
    return np.stack([_among(grid, (edge,), reduce) for edge in range(len(EDGES))])


def conditional_truth(
    accuracy_pct: Cells,
    arch: Int[np.ndarray, "*runs edges"],
    order: Int[np.ndarray, "*runs edges"],
    reduce: Reduce = "mean",
) -> Float[np.ndarray, "*runs edges ops"]:
    """The truth that a sequential selection faces: `edge_truth` among the cells that share the edges decided before.

    Edges are decided in `order`; row e takes only cells that carry `arch`'s operations on every edge that precedes e
    in it. The first edge's row is thus the unconditional one, and the last one's compares five single cells.
    """
    # Whichever runs they are, at most 192 pairs of decided edges and next edge occur: each is worked out once.
    archs, orders = arch.reshape(-1, len(EDGES)), order.reshape(-1, order.shape[-1])
    truth = np.full((len(archs), len(EDGES), len(OPS)), np.nan)
    for step in range(orders.shape[1]):
        decided = np.sort(orders[:, :step], axis=1)
        for kind in np.unique(np.column_stack([decided, orders[:, step]]), axis=0):
            rows = np.flatnonzero((decided == kind[:step]).all(1) & (orders[:, step] == kind[step]))
            among = _among(accuracy_pct.reshape(_GRID), tuple(kind.tolist()), reduce)
            truth[rows, kind[step]] = among[tuple(archs[rows[:, None], kind[:step]].T)]
    return truth.reshape(*arch.shape, len(OPS))


def cell_scores(scores: Scores) -> Cells:
    """A criterion's score of every cell: the sum over edges of its score of the operation there.

    An edge without any score (a dead one) adds nothing; a cell with an operation that was no candidate scores NaN.
    """
    finite_scores = np.where(np.isfinite(scores).any(-1, keepdims=True), scores, 0.0)
    return np.asarray(sum(np.ix_(*finite_scores))).ravel()


def parameter_counts() -> Float[np.ndarray, "ops"]:
    """Weights of each operation relative to a 1x1 convolution: the null every ranking of operations must beat."""
    counts = np.zeros(len(OPS))
    counts[CONV1], counts[CONV3] = 1, 9
    return counts


def _among(grid: Float[np.ndarray, "..."], edges: tuple[int, ...], reduce: Reduce) -> Float[np.ndarray, "..."]:
    """Mean (or best) accuracy by the operations on `edges`, over all operations on the others; an axis per edge."""
    shape = (len(OPS),) * len(edges)
    rows = np.moveaxis(grid, edges, range(len(edges))).reshape(*shape, -1)
    finite = np.isfinite(rows)
    number = finite.sum(-1)
    if reduce == "max":
        return np.where(number > 0, np.where(finite, rows, -np.inf).max(-1), np.nan)
    total = np.where(finite, rows, 0.0).sum(-1)
    return np.asarray(np.divide(total, number, out=np.full(shape, np.nan), where=number > 0))
