"""SmoothDARTS by adversarial training (Chen & Hsieh, ICML 2020)."""

import torch

from benchharness.methods._base import Arch, Loss, Weights
from benchharness.methods.sdarts_rs import SdartsRs


class SdartsAdv(SdartsRs):
    """SDARTS-ADV: the weights learn at the worst edge weights that projected gradient ascent finds near softmax(alpha).

    The attack sees the training batch and normalises by its statistics, which it does not record.
    """

    attack_steps = 7

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:
        """The end of signed ascent steps of 2 eps / steps from a random start, inside the ball of radius eps."""
        centre, radius = self.expected().detach(), self.radius(progress)
        at = centre + torch.empty_like(centre).uniform_(-1, 1) * radius
        for _ in range(self.attack_steps):
            with torch.enable_grad():
                at = at.detach().requires_grad_()
                (slope,) = torch.autograd.grad(loss(at), at)
            at = at.detach() + 2 * radius / self.attack_steps * slope.sign()
            at = torch.clamp(at, centre - radius, centre + radius)
        return at
