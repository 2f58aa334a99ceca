"""Whether a search decided: an edge's lead is large, lasts over epochs, and exceeds a random walk of alpha."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import binomtest

LEAD: Final = 0.02
"""Smallest lead (largest weight minus second largest) of a decided edge: a tenth of the uniform weight 0.2.

A public full-size first-order DARTS search on CIFAR-10 (100 epochs, C=16, N=5) exceeds it on five of six edges from its
seventh epoch on; it collapses to skips on all of them."""
EDGES_NEEDED: Final = 2 / 3
"""Smallest share of decided edges of a decided search."""
LEVEL: Final = 0.05
FLIPS: Final = 999
CHANCE_LEVEL: Final = 0.01
INITIAL: Final = 1e-3
"""Standard deviation of the initial alphas."""

Verdict = Literal["decided", "undecided", "no alpha"]


class Decision(NamedTuple):
    """Whether each edge, and the whole search, is decided, by the mean edge weights of all epochs."""

    winner: Int[np.ndarray, "edges"]
    lead: Float[np.ndarray, "edges"]
    """Largest minus second largest weight, with the weights of an edge normalised to sum 1."""
    stable: Bool[np.ndarray, "edges"]
    """Whether the winner led in all of the last fifth of the epochs (at least two)."""
    p: Float[np.ndarray, "edges"]
    """p-value of an edge's lead if the sign of every epoch's movement were random; see `drift_p`."""
    search_p: float
    """The same for the mean lead over all edges, which has more power than a single edge."""
    initial_p: Float[np.ndarray, "edges"]
    """Share of freshly initialised alphas whose lead is as large."""
    entropy: float
    """Mean entropy over edges, divided by the logarithm of the number of operations: 1 if uniform."""
    verdict: Verdict

    @property
    def leaning(self) -> Bool[np.ndarray, "edges"]:
        """Edges whose winner is stable and whose lead exceeds both a random walk and the initial alphas."""
        return self.stable & (self.p <= LEVEL) & (self.initial_p <= LEVEL)

    @property
    def decided(self) -> Bool[np.ndarray, "edges"]:
        """Edges whose winner is stable and leads by `LEAD` and by more than initial alphas."""
        return self.stable & (self.lead >= LEAD) & (self.initial_p <= LEVEL)


def decision(expected: Float[np.ndarray, "epochs edges ops"]) -> Decision:
    """Judge a search by its mean edge weights after every epoch.

    `decided`: on at least two thirds of the edges the winner led in the last fifth of the epochs and leads by `LEAD` at
    the end, and the mean lead over edges exceeds a random walk of alpha (5 % level). Otherwise `undecided`; `no alpha`
    if the weights are always uniform. Accuracies are not used. Raises `ValueError` without epochs.
    """
    if not len(expected):
        raise ValueError("a decision needs the weights of one epoch at least")
    weights = _normalised(np.asarray(expected, float))
    final = np.sort(weights[-1], -1)
    last = weights[-max(2, len(weights) // 5) :].argmax(-1)
    p, search_p = drift_p(weights)
    result = Decision(
        winner=last[-1],
        lead=final[:, -1] - final[:, -2],
        stable=(last == last[-1]).all(0) & (len(last) > 1),
        p=p,
        search_p=search_p,
        initial_p=initial_p(final[:, -1] - final[:, -2], weights.shape[-1]),
        entropy=_relative_entropy(weights[-1]),
        verdict="no alpha",
    )
    return result if _constant(weights) else result._replace(verdict=_verdict(result))


def drift_p(weights: Float[np.ndarray, "epochs edges ops"]) -> tuple[Float[np.ndarray, "edges"], float]:
    """Sign-flip p-values of the lead of the log weights, per edge and for the mean over edges.

    The null hypothesis: in each epoch, the sign of each edge's movement (from uniform weights on) is random. The winner
    is chosen again for every flip, which accounts for the choice of the largest of five. The smallest p is 1/1000.
    """
    movements = _movements(weights)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (FLIPS, *movements.shape[:2]))
    walked = np.einsum("fte,teo->feo", signs, movements)
    observed, null = _log_lead(movements.sum(0)), _log_lead(walked)
    return _share_above(observed, null), float(_share_above(observed.mean(), null.mean(-1)))


def _share_above(observed: Any, null: Any) -> Any:
    return (1 + (null >= observed - 1e-12).sum(0)) / (1 + FLIPS)


def initial_p(lead: Float[np.ndarray, "edges"], ops: int) -> Float[np.ndarray, "edges"]:
    """Per edge, the share of 999 freshly initialised alphas (1e-3 times normal) whose softmax leads as much."""
    alphas = INITIAL * np.random.default_rng(0).standard_normal((FLIPS, ops))
    weights = np.sort(np.exp(alphas) / np.exp(alphas).sum(-1, keepdims=True), -1)
    return np.asarray((1 + ((weights[:, -1] - weights[:, -2])[:, None] >= lead).sum(0)) / (1 + FLIPS))


def above_chance(accuracy_pct: float, images: int, classes: int) -> bool:
    """Whether an accuracy (percent, on `images` images) exceeds guessing among `classes` (exact binomial, 1 %)."""
    correct = round(accuracy_pct / 100 * images)
    return bool(binomtest(correct, images, 1 / classes, alternative="greater").pvalue < CHANCE_LEVEL)


def summary_of_decisions(decisions: Sequence[Decision]) -> str:
    """One clause on several searches of a method: `decided in 9 of 10 searches` with the mean lead and entropy."""
    if not decisions:
        return "recorded no edge weights"
    verdict = majority_of_decisions(decisions)
    if verdict == "no alpha":
        return "has no alpha that could decide"
    lead = float(np.mean([run_decision.lead.mean() for run_decision in decisions]))
    entropy = float(np.mean([run_decision.entropy for run_decision in decisions]))
    agreeing = sum(run_decision.verdict == verdict for run_decision in decisions)
    leaning = float(np.mean([run_decision.leaning.sum() for run_decision in decisions]))
    leans = f", leaning on {leaning:.1f} edges" if verdict == "undecided" else ""
    count = f"{agreeing} of {len(decisions)} search{'es' * (len(decisions) != 1)}"
    return f"{verdict} in {count} (mean lead {lead:.3f}, entropy {entropy:.3f} of uniform{leans})"


def majority_of_decisions(decisions: Sequence[Decision]) -> Verdict:
    """The verdict on a method: `decided` if more than half of its searches are."""
    verdicts = [run_decision.verdict for run_decision in decisions]
    if verdicts and set(verdicts) == {"no alpha"}:
        return "no alpha"
    return "decided" if 2 * verdicts.count("decided") > len(verdicts) else "undecided"


def _verdict(figures: Decision) -> Verdict:
    enough = figures.decided.mean() >= EDGES_NEEDED
    return "decided" if enough and figures.search_p <= LEVEL else "undecided"


def _normalised(weights: Float[np.ndarray, "epochs edges ops"]) -> Float[np.ndarray, "epochs edges ops"]:
    """Weights normalised to sum 1 on each edge, since PC-DARTS scales them by an edge's weight."""
    totals = weights.sum(-1, keepdims=True)
    uniform = np.full_like(weights, 1 / weights.shape[-1])
    return np.divide(weights, totals, out=uniform, where=totals > 0)


def _constant(weights: Float[np.ndarray, "epochs edges ops"]) -> bool:
    uniform = 1 / weights.shape[-1]
    return bool(np.allclose(weights, uniform, rtol=0, atol=1e-9))


def _relative_entropy(weights: Float[np.ndarray, "edges ops"]) -> float:
    logs = np.log(weights, out=np.zeros(weights.shape), where=weights > 0)
    choices = (weights > 0).sum(-1)
    scale = np.log(np.maximum(choices, 2))
    return float((-(weights * logs).sum(-1) / scale).mean())


def _movements(weights: Float[np.ndarray, "epochs edges ops"]) -> Float[np.ndarray, "epochs edges ops"]:
    """The change of the log weights in each epoch, from uniform weights on, without operations pruned later."""
    alive = (weights > 0).all(0)
    logs = np.log(weights, out=np.zeros(weights.shape), where=weights > 0)
    mean = (logs * alive).sum(-1, keepdims=True) / np.maximum(alive.sum(-1), 1)[:, None]
    centred = np.where(alive, logs - mean, -1e3)
    return np.diff(centred, axis=0, prepend=np.where(alive, 0.0, -1e3)[None])


def _log_lead(logs: Float[np.ndarray, "*flips edges ops"]) -> Float[np.ndarray, "*flips edges"]:
    ordered = np.sort(logs, -1)
    return np.asarray(ordered[..., -1] - ordered[..., -2])
