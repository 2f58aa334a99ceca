"""Collapse: a search derives a cell of operations without weights, mostly skip connections."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness.space import CONV1, CONV3, EDGES, SKIP

SKIPS = 4
"""A cell with at least this many skip connections on its six edges counts as collapsed."""


class Verdict(NamedTuple):
    """Number of collapsed cells among `n`, the median first epoch of collapse (NaN: unknown), and a sentence."""

    collapsed: int
    n: int
    epoch: float
    sentence: str


def entropy(weights: Float[np.ndarray, "*epochs edges ops"]) -> Float[np.ndarray, "*epochs"]:
    """Entropy of the mean edge weights in nats, averaged over edges; ln 5 = 1.609 if uniform, 0 if one-hot."""
    logs = np.log(weights, out=np.zeros(weights.shape), where=weights > 0)
    return np.asarray(-(weights * logs).sum(-1).mean(-1))


def skip_margin(weights: Float[np.ndarray, "*epochs edges ops"]) -> Float[np.ndarray, "*epochs"]:
    """Weight of the skip connection minus the mean weight of the two convolutions, mean over edges."""
    convolutions = (weights[..., CONV1] + weights[..., CONV3]) / 2
    return np.asarray((weights[..., SKIP] - convolutions).mean(-1))


def first_epoch(skips: Int[np.ndarray, "epochs"], epochs: Int[np.ndarray, "epochs"]) -> int | None:
    """The first epoch whose argmax cell has four skip connections or more; None if there is none."""
    reached = np.flatnonzero(np.asarray(skips) >= SKIPS)
    return int(epochs[reached[0]]) if reached.size else None


def verdict(
    skips: Sequence[int], free: Sequence[int], firsts: Sequence[int | None], cut_off: Sequence[bool] = ()
) -> Verdict:
    """The verdict on a method's derived cells, by their skips, parameter-free operations and first epochs of collapse.

    `cut_off` marks the cells without a path from input to output, which counts of operations do not show.
    """
    kind = _verdict(skips, free, firsts)
    if not any(cut_off):
        return kind
    return kind._replace(sentence=f"{kind.sentence}; nothing passes through the cell of {_of(sum(cut_off), kind.n)}")


def _verdict(skips: Sequence[int], free: Sequence[int], firsts: Sequence[int | None]) -> Verdict:
    n = len(skips)
    over = [i for i in range(n) if skips[i] >= SKIPS]
    if over:
        first_epochs = [first for i in over if (first := firsts[i]) is not None]
        epoch = float(np.median(first_epochs)) if first_epochs else np.nan
        kind = "all-skip" if min(skips[i] for i in over) == len(EDGES) else "four skips or more"
        return Verdict(len(over), n, epoch, f"collapsed to {kind} in {_of(len(over), n)}{_since(first_epochs)}")
    weightless = sum(count == len(EDGES) for count in free)
    if weightless:
        return Verdict(0, n, np.nan, f"derived a cell without any weights in {_of(weightless, n)}, not by skips alone")
    skip = f"{max(skips)} skip{'s' * (max(skips) != 1)}"
    worst = f"at most {skip} and {max(free)} parameter-free operation{'s' * (max(free) != 1)} among 6 edges"
    return Verdict(0, n, np.nan, f"did not collapse in any of {n} seed{'s' * (n != 1)}: {worst}")


def _of(count: int, n: int) -> str:
    return f"{count} of {n} seed{'s' * (n != 1)}"


def _since(epochs: Sequence[int]) -> str:
    if not epochs:
        return ""
    low, high = min(epochs), max(epochs)
    return f", from epoch {low}" if low == high else f", from epoch {low} to {high} on (median {np.median(epochs):g})"
