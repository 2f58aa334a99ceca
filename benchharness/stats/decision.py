"""Whether a search decided: a lead on an edge that is large, lasts over epochs, and is no random walk of alpha."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import binomtest

LEAD: Final = 0.02
"""The winner's weight minus the runner-up's from which an edge counts as decided: a tenth of the uniform weight 0.2.

A public full-size first-order DARTS search on CIFAR-10 (100 epochs, C=16, N=5) is past it on five of six edges from its
seventh epoch on; it collapses to skips on all of them."""
EDGES_NEEDED: Final = 2 / 3
"""Share of decided edges from which the whole search counts as decided."""
LEVEL: Final = 0.05
FLIPS: Final = 999
CHANCE_LEVEL: Final = 0.01
INITIAL: Final = 1e-3
"""Standard deviation of alphas as they are initialised."""

Verdict = Literal["decided", "undecided", "no alpha"]


class Decision(NamedTuple):
    """Whether each edge, and the whole search, is decided by the mean edge weights at the end."""

    winner: Int[np.ndarray, "edges"]
    lead: Float[np.ndarray, "edges"]
    """Weight of the winner minus that of the runner-up, of weights that sum to 1 on their edge."""
    stable: Bool[np.ndarray, "edges"]
    """Whether the winner led in all of the last fifth of the epochs (at least two)."""
    p: Float[np.ndarray, "edges"]
    """Of an edge's lead if every epoch's movement had had a random sign; see `drift_p`."""
    search_p: float
    """The same of the mean lead over all edges, which has the power that a single edge lacks."""
    initial_p: Float[np.ndarray, "edges"]
    """Of the lead among alphas that are only initialised: how often those lead as much."""
    entropy: float
    """Mean over edges, in nats, divided by the logarithm of the operations that can be chosen: 1 where uniform."""
    verdict: Verdict

    @property
    def leaning(self) -> Bool[np.ndarray, "edges"]:
        """Edges whose winner lasts and, judged alone, is neither a random walk nor left from the initial alphas."""
        return self.stable & (self.p <= LEVEL) & (self.initial_p <= LEVEL)

    @property
    def decided(self) -> Bool[np.ndarray, "edges"]:
        """Edges whose winner lasts, is ahead by `LEAD`, and more than initial alphas are."""
        return self.stable & (self.lead >= LEAD) & (self.initial_p <= LEVEL)


def decision(expected: Float[np.ndarray, "epochs edges ops"]) -> Decision:
    """Judge a search by its mean edge weights after every epoch.

    `decided` where on at least two thirds of the edges the winner led over the last fifth of the epochs and is ahead by
    `LEAD` at the end, and where the mean lead over the edges is more than a random walk of alpha would reach (5 %);
    else `undecided`; `no alpha` where the weights never leave uniform. Nothing here knows an accuracy. Raises
    `ValueError` without epochs.
    """
    if not len(expected):
        raise ValueError("a decision needs the weights of one epoch at least")
    weights = _normalised(np.asarray(expected, float))
    final = np.sort(weights[-1], -1)
    last = weights[-max(2, len(weights) // 5) :].argmax(-1)
    p, search_p = drift_p(weights)
    judged = Decision(
        winner=last[-1],
        lead=final[:, -1] - final[:, -2],
        stable=(last == last[-1]).all(0) & (len(last) > 1),
        p=p,
        search_p=search_p,
        initial_p=initial_p(final[:, -1] - final[:, -2], weights.shape[-1]),
        entropy=_relative_entropy(weights[-1]),
        verdict="no alpha",
    )
    return judged if _constant(weights) else judged._replace(verdict=_verdict(judged))


def drift_p(weights: Float[np.ndarray, "epochs edges ops"]) -> tuple[Float[np.ndarray, "edges"], float]:
    """How often the lead of log weights is as large if each epoch had moved each edge with a random sign.

    Per edge, and for the mean over edges: sign-flip tests of the epochs' movements from uniform weights on. The winner
    is chosen anew in every flip, so that having picked the largest of five is accounted for. The smallest p is
    1/1000.
    """
    movements = _movements(weights)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (FLIPS, *movements.shape[:2]))
    walked = np.einsum("fte,teo->feo", signs, movements)
    observed, null = _log_lead(movements.sum(0)), _log_lead(walked)
    return _share_above(observed, null), float(_share_above(observed.mean(), null.mean(-1)))


def _share_above(observed: Any, null: Any) -> Any:
    return (1 + (null >= observed - 1e-12).sum(0)) / (1 + FLIPS)


def initial_p(lead: Float[np.ndarray, "edges"], ops: int) -> Float[np.ndarray, "edges"]:
    """Per edge, how often softmax of freshly initialised alphas (1e-3 times normal) leads as much, of 999 draws."""
    alphas = INITIAL * np.random.default_rng(0).standard_normal((FLIPS, ops))
    weights = np.sort(np.exp(alphas) / np.exp(alphas).sum(-1, keepdims=True), -1)
    return np.asarray((1 + ((weights[:, -1] - weights[:, -2])[:, None] >= lead).sum(0)) / (1 + FLIPS))


def above_chance(accuracy_pct: float, images: int, classes: int) -> bool:
    """Whether an accuracy (percent of `images`) is more than guessing one of `classes`, at 1 % (exact binomial)."""
    right = round(accuracy_pct / 100 * images)
    return bool(binomtest(right, images, 1 / classes, alternative="greater").pvalue < CHANCE_LEVEL)


def summary_of_decisions(decisions: Sequence[Decision]) -> str:
    """One clause on several searches of a method: `decided in 9 of 10 searches` with the mean lead and entropy."""
    if not decisions:
        return "recorded no edge weights"
    verdict = majority_of_decisions(decisions)
    if verdict == "no alpha":
        return "has no alpha that could decide"
    lead = float(np.mean([one.lead.mean() for one in decisions]))
    entropy = float(np.mean([one.entropy for one in decisions]))
    agreeing = sum(one.verdict == verdict for one in decisions)
    leaning = float(np.mean([one.leaning.sum() for one in decisions]))
    leans = f", leaning on {leaning:.1f} edges" if verdict == "undecided" else ""
    count = f"{agreeing} of {len(decisions)} search{'es' * (len(decisions) != 1)}"
    return f"{verdict} in {count} (mean lead {lead:.3f}, entropy {entropy:.3f} of uniform{leans})"


def majority_of_decisions(decisions: Sequence[Decision]) -> Verdict:
    """The verdict on a method: `decided` where more than half of its searches are."""
    verdicts = [one.verdict for one in decisions]
    if verdicts and set(verdicts) == {"no alpha"}:
        return "no alpha"
    return "decided" if 2 * verdicts.count("decided") > len(verdicts) else "undecided"


def _verdict(judged: Decision) -> Verdict:
    enough = judged.decided.mean() >= EDGES_NEEDED
    return "decided" if enough and judged.search_p <= LEVEL else "undecided"


def _normalised(weights: Float[np.ndarray, "epochs edges ops"]) -> Float[np.ndarray, "epochs edges ops"]:
    """Weights that sum to 1 on their edge: PC-DARTS scales an edge's weights by that edge's own."""
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
    """How far each epoch moved the logarithms, from uniform on; operations that were pruned on the way never count."""
    alive = (weights > 0).all(0)
    logs = np.log(weights, out=np.zeros(weights.shape), where=weights > 0)
    mean = (logs * alive).sum(-1, keepdims=True) / np.maximum(alive.sum(-1), 1)[:, None]
    centred = np.where(alive, logs - mean, -1e3)
    return np.diff(centred, axis=0, prepend=np.where(alive, 0.0, -1e3)[None])


def _log_lead(logs: Float[np.ndarray, "*flips edges ops"]) -> Float[np.ndarray, "*flips edges"]:
    ordered = np.sort(logs, -1)
    return np.asarray(ordered[..., -1] - ordered[..., -2])
