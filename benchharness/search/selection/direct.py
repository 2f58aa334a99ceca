"""Selections that train nothing: by magnitude, at random, and the best of many sampled cells."""

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
    """The largest mean edge weight on each edge (argmax, over all five operations in NAS-Bench-201)."""

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:  # noqa: ARG002
        """The argmax cell; scores are the mean edge weights."""
        scores = self.restricted(mean_weights(method))
        return Selected(tuple(int(op) for op in np.nanargmax(scores, axis=-1)), scores, tuple(range(len(EDGES))))


@dataclass(frozen=True)
class Uniform(Selection):
    """A uniformly random cell, drawn from the run's own random numbers."""

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:  # noqa: ARG002
        """A cell drawn with torch's global generator; every score is the same."""
        allowed = self.candidates()
        drawn = torch.randint(len(allowed), (len(EDGES),)).tolist()
        flat = self.restricted(np.full((len(EDGES), len(OPS)), 1 / len(allowed)))
        return Selected(tuple(allowed[choice] for choice in drawn), flat, tuple(range(len(EDGES))))


@dataclass(frozen=True)
class Best(Selection):
    """The best of many cells by accuracy with inherited weights on validation images (RSPS, SETN, ENAS).

    Under `nb201` and `nats` every cell has a batch of its own, so that chance in the batch decides too, and is
    normalised as the protocol says; `batches` and `bn` then count for nothing. Elsewhere all cells see the same images.
    """

    samples: int = 100
    pool: str = "drawn"
    """Which cells: `drawn` from the method's distribution, or the most `likely` ones under it (SETN)."""
    batches: int = 1
    """Evaluation batches on which they are measured; 0 takes the whole validation half."""
    bn: str = "batch"

    def __post_init__(self) -> None:
        for key, allowed in {"pool": ("drawn", "likely"), "bn": ("batch", "running", "cells")}.items():
            if getattr(self, key) not in allowed:
                raise unknown(key, getattr(self, key), allowed)
        if self.samples < 1 or self.batches < 0:
            raise UserError(f"samples={self.samples}, batches={self.batches}: take 1 or more, and 0 or more")

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:
        """The first of the most accurate cells; a score is the mean accuracy of the cells with that operation there."""
        cells = self.drawn(method) if self.pool == "drawn" else self.likely(method)
        evaluation.expect(len(cells))
        judged = evaluation.judged(cells, self.batches, self.bn)
        accuracy = np.array([score.accuracy_pct for score in judged])
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
        raise UserError("none=False leaves hardly a cell of this method's: its distribution is all but decided on none")

    def likely(self, method: Method) -> list[Arch]:
        """The most probable cells, edges taken as independent."""
        with np.errstate(divide="ignore"):
            logs = np.log(method.probabilities().detach().cpu().numpy().astype(np.float64))
        ops: UInt8[np.ndarray, "archs edges"] = space.all_ops()
        ops = ops if self.none else ops[(ops != NONE).all(1)]
        total: Float[np.ndarray, " archs"] = logs[np.arange(len(EDGES)), ops].sum(1)
        return [tuple(row) for row in ops[np.argsort(-total, kind="stable")[: self.samples]].tolist()]


def mean_scores(cells: Sequence[Arch], values: Float[np.ndarray, " archs"]) -> Float[np.ndarray, "edges ops"]:
    """For every operation on every edge, the mean of `values` over the cells with it there; NaN is left out."""
    known = np.isfinite(values)
    carried = np.eye(len(OPS), dtype=bool)[np.array(cells)[known]]
    count = carried.sum(0)
    total = (carried * values[known, None, None]).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
