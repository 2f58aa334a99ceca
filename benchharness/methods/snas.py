"""SNAS (Xie, Zheng, Liu & Lin, ICLR 2019), trained bilevel as in every published NAS-Bench-201 table.

The paper optimises weights and alphas on one level, with one loss; that variant is the method `snas-single`.
"""

import torch

from benchharness.methods._base import Method, Weights


class Snas(Method):
    """SNAS, bilevel: a soft Gumbel-softmax draw per batch, shared by all cells; the temperature falls linearly."""

    tau_max = 10.0
    tau_min = 1.0

    def draw(self, progress: float) -> Weights:
        """softmax((log softmax(alpha) + Gumbel noise) / tau) (equation 4)."""
        tau = self.tau_max + (self.tau_min - self.tau_max) * progress
        noise = -torch.empty_like(self.alpha).exponential_().clamp_min(1e-20).log()
        return ((self.alpha.log_softmax(-1) + noise) / tau).softmax(-1)
