"""The base class of selections, which derive a cell from a trained supernet."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from benchharness.methods import Method
from benchharness.search.evaluation import Evaluation
from benchharness.space import NONE, OPS, Arch


class Selected(NamedTuple):
    """A derived cell, with the scores and decisions behind it."""

    arch: Arch
    scores: Float[np.ndarray, "edges ops"]
    """Higher is better; NaN for operations that were not candidates, and on edges that could not be scored."""
    order: tuple[int, ...] = ()
    """The edges, in the order in which they were decided."""
    dead: tuple[int, ...] = ()
    """Edges on which every candidate ties because decided edges cut them off; decided by magnitude."""
    arrays: Mapping[str, np.ndarray] = MappingProxyType({})
    """Further arrays for `trace.npz`."""


@dataclass(frozen=True)
class Selection:
    """Base class of selections: derives a cell from a trained method and its supernet."""

    none: bool = True
    """Whether `none` may be chosen."""

    LATER: ClassVar[tuple[str, ...]] = ()
    """Options added later. Older runs, which had the defaults, do not record them; run ids leave their defaults out."""

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:
        """Derive a cell; may train the supernet further by `evaluation.tune`."""
        raise NotImplementedError

    def candidates(self) -> list[int]:
        """The operations that may be chosen."""
        return [op for op in range(len(OPS)) if self.none or op != NONE]

    def restricted(self, scores: Float[np.ndarray, "edges ops"]) -> Float[np.ndarray, "edges ops"]:
        """`scores` with NaN for the operations that may not be chosen."""
        allowed = np.isin(np.arange(len(OPS)), self.candidates())
        return np.where(allowed, scores, np.nan)


def mean_weights(method: Method) -> Float[np.ndarray, "edges ops"]:
    """The method's mean edge weights in double precision, on which magnitude decides."""
    return method.expected().detach().cpu().numpy().astype(np.float64)
