"""Selections by an operation's effect on the loss: operation strength, and its pruning-style comparator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchharness.errors import UserError, unknown
from benchharness.methods import Method
from benchharness.methods._updates import with_decided
from benchharness.search.evaluation import Evaluation
from benchharness.search.selection._base import Selected, Selection, mean_weights
from benchharness.space import EDGES, NONE, OPS, live_edges

Scores = Float[np.ndarray, " ops"]


@dataclass(frozen=True)
class Strength(Selection):
    """Operation strength, our reading of OStr-DARTS: S(o, e) = L(mixed | D) - L(edge e carries o alone | D).

    D are the edges decided so far. The paper's abstract and captions define an operation's importance as its effect on
    the final loss when it replaces the mixed operation; everything that they leave open is an option.
    """

    surviving: str = "one"
    """Weight of the operation that replaces the mixture: `one`, or its mixing weight (`beta`)."""
    data: str = "valid"
    """Half of the images used for scoring: `valid` or `train`."""
    batches: int = 0
    """Number of evaluation batches used for scoring; 0 for the whole half."""
    metric: str = "loss"
    tuning: int = 0
    """Epochs of training between the decisions on two edges."""
    tune_alpha: bool = True
    """Whether that training updates alpha too."""
    order: str = "topological"
    """Which edge is decided next: `topological`, `random`, or the one with the largest `margin` first."""
    discretise: bool = True
    """Whether edges already decided are discrete while the others are scored."""
    exact: bool = True
    """Whether each candidate is evaluated, or its effect estimated from one gradient (first-order Taylor)."""
    bn: str = "batch"
    """Batch normalisation while scoring: by `batch` or `running` statistics, or `cells` (see the protocol)."""
    early: int = 0
    """The last decision comes this many epochs of tuning earlier; these epochs follow it."""
    augmented: bool = False
    """Whether each candidate is scored on its own augmented, shuffled batches of the training's size."""

    LATER: ClassVar[tuple[str, ...]] = ("early", "augmented")

    _CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "surviving": ("one", "beta"),
        "data": ("valid", "train"),
        "metric": ("loss", "accuracy"),
        "order": ("topological", "random", "margin"),
        "bn": ("batch", "running", "cells"),
    }

    def __post_init__(self) -> None:
        for key, allowed in self._CHOICES.items():
            if getattr(self, key) not in allowed:
                raise unknown(key, getattr(self, key), allowed)
        if min(self.batches, self.tuning, self.early) < 0:
            raise UserError(f"batches={self.batches}, tuning={self.tuning}, early={self.early}: none may be below 0")
        if self.augmented and not self.exact:
            raise UserError("exact=False takes its gradient on fixed images: leave out augmented")
        if not self.exact and self.metric == "accuracy":
            raise UserError("exact=False estimates the loss by its gradient; accuracy has none, so take metric=loss")

    def __call__(self, method: Method, evaluation: Evaluation) -> Selected:
        """Derive the cell edge by edge; magnitude decides dead edges, whose scores are NaN."""
        scores = np.full((len(EDGES), len(OPS)), np.nan)
        losses = _Losses(evaluation, self)
        decided: dict[int, int] = {}
        dead: list[int] = []
        evaluation.expect(len(EDGES) + sum(self._tuning_after(count) for count in range(1, len(EDGES) + 1)))
        while len(decided) < len(EDGES):
            weights = method.expected().detach()
            edge, edge_scores = self._next(weights, decided, losses)
            if edge_scores is None:
                dead.append(edge)
                edge_scores = self.restricted(mean_weights(method))[edge]
            else:
                scores[edge] = edge_scores
            decided[edge] = int(np.nanargmax(edge_scores))
            evaluation.step()
            if epochs := self._tuning_after(len(decided)):
                evaluation.tune(decided, epochs, self.tune_alpha)
                losses = _Losses(evaluation, self)
        arch = tuple(decided[edge] for edge in range(len(EDGES)))
        return Selected(arch, scores, tuple(decided), tuple(dead))

    def _tuning_after(self, decided: int) -> int:
        """Number of epochs of tuning after `decided` decisions."""
        early_steps = min(self.early, self.tuning)
        if decided == len(EDGES):
            return early_steps
        return self.tuning - (early_steps if decided == len(EDGES) - 1 else 0)

    def trial(self, weights: Float[Tensor, "edges ops"], edge: int, op: int) -> Float[Tensor, "edges ops"]:
        """The edge weights that try operation `op` on `edge`: it replaces the mixture there."""
        return self._discrete(weights, {edge: op})

    def gain(self, before: float, after: float) -> float:
        """The operation's score: the decrease from `before` to `after`, which are losses or negative accuracies."""
        return before - after

    def _next(self, weights: Tensor, decided: dict[int, int], losses: "_Losses") -> tuple[int, Scores | None]:
        """The edge to decide next, with its scores; None instead of scores for a dead edge."""
        open_edges = [edge for edge in range(len(EDGES)) if edge not in decided]
        if self.order == "random":
            open_edges = [open_edges[int(torch.randint(len(open_edges), ()))]]
        elif self.order == "topological":
            open_edges = open_edges[:1]
        scores_by_edge = {edge: self._scores(weights, edge, decided, losses) for edge in open_edges}
        return max(scores_by_edge.items(), key=lambda item: _margin(item[1]))

    def _scores(self, weights: Tensor, edge: int, decided: dict[int, int], losses: "_Losses") -> Scores | None:
        if is_dead(edge, decided):
            return None
        base = self._discrete(weights, decided) if self.discretise else weights
        trials = {op: self.trial(base, edge, op) for op in self.candidates()}
        if self.exact:
            before, *after = losses.scores([base, *trials.values()])
            gains = {op: self.gain(before, score) for op, score in zip(trials, after, strict=True)}
        else:
            slope = losses.slope(base)
            gains = {op: self.gain(0.0, float((slope * (trial - base)).sum())) for op, trial in trials.items()}
        return np.array([gains.get(op, np.nan) for op in range(len(OPS))])

    def _discrete(self, weights: Tensor, decided: Mapping[int, int]) -> Tensor:
        """`weights` with only the chosen operation on each decided edge, at the surviving weight."""
        result = with_decided(weights, decided)
        if self.surviving == "beta":
            for edge, op in decided.items():
                result[edge] *= weights[edge, op]
        return result


class _Losses:
    """Losses (or negative accuracies) at edge weights, as the selection's options say; each is measured once."""

    def __init__(self, evaluation: Evaluation, options: Strength) -> None:
        self.evaluation, self.metric = evaluation, options.metric
        self.how, self.augmented = (options.data, options.batches, options.bn), options.augmented
        self.seen: dict[bytes, float] = {}

    def scores(self, weights: Sequence[Float[Tensor, "edges ops"]]) -> list[float]:
        """The losses, or negative accuracies, at these edge weights; unknown ones are measured in one call."""
        keys = [mix.cpu().numpy().tobytes() for mix in weights]
        new_mixes = {key: mix for key, mix in zip(keys, weights, strict=True) if key not in self.seen}
        if new_mixes:
            scores_measured = self.evaluation.mixes(list(new_mixes.values()), *self.how, *([True] * self.augmented))
            values = [score.loss if self.metric == "loss" else -score.accuracy_pct for score in scores_measured]
            self.seen |= dict(zip(new_mixes, values, strict=True))
        return [self.seen[key] for key in keys]

    def slope(self, weights: Float[Tensor, "edges ops"]) -> Float[Tensor, "edges ops"]:
        """The gradient of the loss in the edge weights."""
        return self.evaluation.gradient(weights, *self.how)


@dataclass(frozen=True)
class Prune(Strength):
    """The pruning-style comparator: the increase of the loss when an operation is removed from the mixture.

    The operation's weight is set to zero; the others are not renormalised, as in DARTS-PT.
    """

    def trial(self, weights: Float[Tensor, "edges ops"], edge: int, op: int) -> Float[Tensor, "edges ops"]:
        """The edge weights with operation `op` of `edge` removed."""
        pruned = weights.clone()
        pruned[edge, op].zero_()
        return pruned

    def gain(self, before: float, after: float) -> float:
        """The increase of the loss when the operation is removed."""
        return after - before


def is_dead(edge: int, decided: Mapping[int, int]) -> bool:
    """Whether the decided edges leave `edge` without a path from the cell's input, or without one to its output."""
    carries = [e == edge or decided.get(e) != NONE for e in range(len(EDGES))]
    fed = {0}
    for (target, start), carry in zip(EDGES, carries, strict=True):
        if carry and start in fed:
            fed.add(target)
    return EDGES[edge][1] not in fed or not live_edges(carries)[edge]


def _margin(scores: Scores | None) -> float:
    """Lead of the best candidate over the second; -inf for an edge that cannot be scored."""
    if scores is None:
        return -np.inf
    best = np.sort(scores[~np.isnan(scores)])[::-1]
    return float(best[0] - best[1])
