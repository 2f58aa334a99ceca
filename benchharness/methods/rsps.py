"""RSPS: random search with parameter sharing (Li & Talwalkar, UAI 2019)."""

import torch
from torch import nn

from benchharness.methods._base import Arch, Loss, Method, Weights, uniform_cell


class Rsps(Method):
    """RSPS: each step trains the weights of one uniformly random cell; the best of 100 random cells is derived.

    The method learns no distribution over architectures, so alpha stays at zero.
    """

    selection = "best"

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        self.alpha = nn.Parameter(torch.zeros(edges, ops), requires_grad=False)

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """A uniformly random cell."""
        return uniform_cell(*self.alpha.shape)

    def moves_alpha(self, progress: float) -> bool:  # noqa: ARG002
        """False: alpha is never updated."""
        return False
