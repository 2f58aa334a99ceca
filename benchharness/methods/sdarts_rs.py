"""SmoothDARTS by random smoothing (Chen & Hsieh, ICML 2020)."""

import torch

from benchharness.methods._base import Arch, Loss, Weights
from benchharness.methods.darts import Darts


class SdartsRs(Darts):
    """SDARTS-RS: the weights learn at softmax(alpha) plus uniform noise whose radius grows; alpha as in DARTS.

    The perturbed weights are not brought back to the simplex.
    """

    eps_min = 0.03
    eps_max = 0.3

    def radius(self, progress: float) -> float:
        """The largest change of an edge weight, growing linearly."""
        return self.eps_min + (self.eps_max - self.eps_min) * progress

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """A uniformly random point around softmax(alpha)."""
        centre = self.expected().detach()
        return centre + torch.empty_like(centre).uniform_(-1, 1) * self.radius(progress)
