"""GDAS (Dong & Yang, CVPR 2019): one operation per edge in the forward pass, all of them in the gradient."""

import torch

from benchharness.methods._base import Weights
from benchharness.methods.snas import Snas


class Gdas(Snas):
    """GDAS: a hard Gumbel draw with the soft one's gradient (straight through), its temperature falling to 0.1.

    The authors compute the drawn operation alone, which leaves the others out of the gradient's first factor, and draw
    again where noise overflows; here all five are computed, and noise is bounded, so that no draw has to be checked.
    """

    tau_max = 10.0
    tau_min = 0.1

    def draw(self, progress: float) -> Weights:
        """One-hot rows, differentiable as the Gumbel-softmax rows that they are the argmax of."""
        soft = super().draw(progress)
        hard = torch.zeros_like(soft).scatter(-1, soft.argmax(-1, keepdim=True), 1.0)
        return soft + (hard - soft).detach()
