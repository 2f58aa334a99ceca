"""SmoothDARTS by random smoothing (Chen & Hsieh, ICML 2020)."""

import torch

from benchharness.methods._base import Arch, Loss, Weights
from benchharness.methods.darts import Darts


class SdartsRs(Darts):
    """SDARTS-RS: the weights learn at softmax(alpha) plus uniform noise whose radius grows; alpha as in DARTS.

    The radius is `eps_min` + (`eps_max` - `eps_min`) epoch / epochs. As in the authors' code, perturbed weights are
    clamped to [0, 1] and each row is divided by its sum, so their final distance from softmax(alpha) may exceed it.
    """

    version = 2
    eps_min = 0.03
    eps_max = 0.3

    def radius(self, progress: float) -> float:
        """The largest change of an edge weight before rows are normalised; grows linearly with `progress`."""
        share = progress * (self.search_epochs - 1) / self.search_epochs if self.search_epochs else progress
        return self.eps_min + (self.eps_max - self.eps_min) * share

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """A uniformly random point around softmax(alpha), with rows made distributions again."""
        centre = self.expected().detach()
        return distributions(centre + torch.empty_like(centre).uniform_(-1, 1) * self.radius(progress))


def distributions(weights: Weights) -> Weights:
    """`weights` clamped to [0, 1], rows divided by their sums; a row that sums to 0 becomes one-hot at its maximum."""
    clamped = weights.clamp(0, 1)
    sums = clamped.sum(-1, keepdim=True)
    largest = torch.zeros_like(weights).scatter(-1, weights.argmax(-1, keepdim=True), 1.0)
    return torch.where(sums > 0, clamped / sums, largest)
