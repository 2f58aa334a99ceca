"""SmoothDARTS by adversarial training (Chen & Hsieh, ICML 2020)."""

import torch

from benchharness.methods._base import Arch, Loss, Weights
from benchharness.methods.sdarts_rs import SdartsRs, distributions


class SdartsAdv(SdartsRs):
    """SDARTS-ADV: the weights learn at the worst edge weights that projected gradient ascent finds near softmax(alpha).

    As in the authors' code, the attack uses the training batch with the supernet in evaluation mode (running
    statistics); after every step edge weights are made distributions again; an attack that lowered the loss is dropped.
    """

    attack_steps = 7

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:
        """The result of signed ascent steps of size 2 eps / steps from a random start, projected to radius eps."""
        centre, radius = self.expected().detach(), self.radius(progress)
        at = distributions(centre + torch.empty_like(centre).uniform_(-1, 1) * radius)
        for _ in range(self.attack_steps):
            with torch.enable_grad():
                at = at.detach().requires_grad_()
                (slope,) = torch.autograd.grad(loss(at), at)
            at = at.detach() + 2 * radius / self.attack_steps * slope.sign()
            at = distributions(torch.clamp(at, centre - radius, centre + radius))
        return torch.where(loss(centre) > loss(at), centre, at)
