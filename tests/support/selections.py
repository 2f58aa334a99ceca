"""Evaluations that are known functions of the weights, to select by."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchharness import methods
from benchharness.search.evaluation import Evaluation, Score
from benchharness.space import EDGES, OPS

ALPHA = torch.randn(len(EDGES), len(OPS), generator=torch.Generator().manual_seed(5))
COST = torch.randn(len(EDGES), len(OPS), generator=torch.Generator().manual_seed(6), dtype=torch.float64)


class Linear(Evaluation):
    """A loss that is linear in the edge weights, so that every score has a closed form."""

    def __init__(self) -> None:
        self.tuned: list[tuple[dict[int, int], int, bool]] = []
        self.asked: list[tuple[str, int, str]] = []
        self.shares: list[float] = []
        super().__init__(None, None, tell=self.shares.append)  # type: ignore[arg-type]

    def mixed(self, weights: torch.Tensor, data: str = "valid", batches: int = 0, bn: str = "running") -> Score:
        self.asked.append((data, batches, bn))
        loss = float((COST * weights).sum())
        return Score(loss, 50 - 3 * loss)

    def mixes(self, weights: Sequence[torch.Tensor], *options: Any) -> list[Score]:
        return [self.mixed(mix, *options) for mix in weights]

    def gradient(self, weights: torch.Tensor, data: str = "valid", batches: int = 0, bn: str = "batch") -> torch.Tensor:
        return COST

    def tune(self, decided: Mapping[int, int], epochs: int, alpha: bool) -> None:
        self.tuned.append((dict(decided), epochs, alpha))
        for _ in range(epochs):
            self.step()


def method_with(alpha: torch.Tensor = ALPHA) -> methods.Method:
    method = methods.load("darts")(*alpha.shape)
    with torch.no_grad():
        method.alpha.copy_(alpha)
    return method
