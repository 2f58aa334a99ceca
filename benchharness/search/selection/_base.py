"""The base class of selections, which derive a cell from a trained supernet."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from benchharness.errors import UserError
from benchharness.methods import Method
from benchharness.search.evaluation import Evaluation
from benchharness.space import EDGES, NONE, OPS, Arch, check_arch


class Selected(NamedTuple):
    """A derived cell, with the scores and decisions behind it."""

    arch: Arch
    scores: Float[np.ndarray, "edges ops"]
    """Higher is better; NaN for operations that were not candidates, and on edges that could not be scored."""
    order: tuple[int, ...] = ()
    """The edges, in the order in which they were decided; empty for their own order."""
    dead: tuple[int, ...] = ()
    """Edges on which every candidate ties because decided edges cut them off; decided by magnitude."""
    arrays: Mapping[str, np.ndarray] = MappingProxyType({})
    """Further arrays for `trace.npz`."""


def checked(selected: object, rule: str) -> Selected:
    """What the selection class `rule` returned, its scores as an array.

    Raises `UserError` if it is no `Selected`, or does not hold what one has to hold.
    """
    if not isinstance(selected, Selected):
        raise UserError(f"{rule} returned a {type(selected).__name__}; a selection returns Selected(arch, scores)")
    try:
        arch, scores = check_arch(tuple(int(op) for op in selected.arch)), np.asarray(selected.scores)
    except UserError as error:
        raise UserError(f"{rule} returned no cell: {error}") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{rule} returned {str(selected)[:160]}: {error}") from error
    shape = (len(EDGES), len(OPS))
    if scores.shape != shape or not np.issubdtype(scores.dtype, np.number):
        found = f"{scores.dtype} of the shape {scores.shape}"
        raise UserError(
            f"{rule} returned scores of {found}; expected numbers of the shape {shape}, edges by operations"
        )
    if selected.order and sorted(selected.order) != list(range(len(EDGES))):
        order = str(selected.order)[:80]
        raise UserError(f"{rule} returned order={order}; expected each edge from 0 to {len(EDGES) - 1} once, or none")
    return selected._replace(arch=arch, scores=scores)


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
