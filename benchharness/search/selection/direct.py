"""Selections without further training: magnitude, a random cell, and the best of many sampled cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from benchharness import space
from benchharness.errors import UserError, unknown
from benchharness.methods import Method
from benchharness.search.evaluation import Evaluation
from benchharness.search.selection._base import Selected, Selection, mean_weights
from benchharness.space import EDGES, NONE, OPS, Arch


@dataclass(frozen=True)
class Magnitude(Selection):
    """On each edge the operation with the largest mean edge weight (argmax over all five operations)."""

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:  # noqa: ARG002
        """Derive the argmax cell; scores are the mean edge weights."""
        scores = self.restricted(mean_weights(method))
        return Selected(tuple(int(op) for op in np.nanargmax(scores, axis=-1)), scores, tuple(range(len(EDGES))))


@dataclass(frozen=True)
class Uniform(Selection):
    """A uniformly random cell, drawn with the run's random numbers."""

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:  # noqa: ARG002
        """Draw a cell with torch's global generator; all scores are equal."""
        allowed = self.candidates()
        indices = torch.randint(len(allowed), (len(EDGES),)).tolist()
        flat = self.restricted(np.full((len(EDGES), len(OPS)), 1 / len(allowed)))
        return Selected(tuple(allowed[choice] for choice in indices), flat, tuple(range(len(EDGES))))


@dataclass(frozen=True)
class Best(Selection):
    """The best of many cells by accuracy with inherited weights on validation images (RSPS, SETN, ENAS).

    Under the protocols `nb201` and `nats` every cell is measured on a batch of its own, normalised as the protocol
    says; the choice of the batch adds noise, and `batches` and `bn` have no effect. Under others all cells see the same
    images.
    """

    samples: int = 100
    pool: str = "drawn"
    """The cells that are measured: `drawn` from the method's distribution, or its most `likely` ones (SETN)."""
    batches: int = 1
    """Number of evaluation batches on which cells are measured; 0 for the whole validation half."""
    bn: str = "batch"

    def __post_init__(self) -> None:
        for key, allowed in {"pool": ("drawn", "likely"), "bn": ("batch", "running", "cells")}.items():
            if getattr(self, key) not in allowed:
                raise unknown(key, getattr(self, key), allowed)
        if self.samples < 1 or self.batches < 0:
            raise UserError(f"samples={self.samples}, batches={self.batches}: take 1 or more, and 0 or more")

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:
        """Derive the most accurate cell (the first of equals); an operation's score is its cells' mean accuracy."""
        cells = self.drawn(method) if self.pool == "drawn" else self.likely(method)
        evaluation.expect(len(cells))
        scores_of_cells = evaluation.judged(cells, self.batches, self.bn)
        accuracy = np.array([score.accuracy_pct for score in scores_of_cells])
        scores = self.restricted(mean_scores(cells, accuracy))
        return Selected(cells[int(accuracy.argmax())], scores, tuple(range(len(EDGES))))

    def drawn(self, method: Method) -> list[Arch]:
        """Cells drawn with torch's global generator, redrawn while they contain operations that may not be chosen."""
        cells: list[Arch] = []
        for _ in range(1000 * self.samples):
            cell = method.sample()
            cells += [cell] if self.none or NONE not in cell else []
            if len(cells) == self.samples:
                return cells
        raise UserError("none=False leaves hardly any cell to draw: this method has almost decided on none")

    def likely(self, method: Method) -> list[Arch]:
        """The most probable cells, if edges are independent."""
        with np.errstate(divide="ignore"):
            logs = np.log(method.probabilities().detach().cpu().numpy().astype(np.float64))
        ops: UInt8[np.ndarray, "archs edges"] = space.all_ops()
        ops = ops if self.none else ops[(ops != NONE).all(1)]
        total: Float[np.ndarray, " archs"] = logs[np.arange(len(EDGES)), ops].sum(1)
        return [tuple(row) for row in ops[np.argsort(-total, kind="stable")[: self.samples]].tolist()]


def mean_scores(cells: Sequence[Arch], values: Float[np.ndarray, " archs"]) -> Float[np.ndarray, "edges ops"]:
    """For every edge and operation, the mean of `values` over the cells that have it; NaN values are left out."""
    is_known = np.isfinite(values)
    carried = np.eye(len(OPS), dtype=bool)[np.array(cells)[is_known]]
    count = carried.sum(0)
    total = (carried * values[is_known, None, None]).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
