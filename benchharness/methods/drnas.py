"""DrNAS (Chen, Wang, Cheng, Tang & Hsieh, ICLR 2021): edge weights drawn from a Dirichlet distribution."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from benchharness.errors import unknown
from benchharness.methods._base import Method, Weights


class Drnas(Method):
    """DrNAS: Dirichlet(elu(alpha) + 1) per edge, one reparameterised draw per forward pass, shared by all cells.

    `regulariser` is `decay` (the protocol's weight decay on alpha, the default of the paper's NAS-Bench-201 runs) or
    `kl`, which replaces that decay by `kl_weight` times KL(Dirichlet || Dirichlet(1)), summed over edges, in alpha's
    loss (equation 5). Evaluations use the distribution's mean, so that repeated evaluations agree; the authors' code
    draws.
    """

    regulariser = "decay"
    kl_weight = 1e-3

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        if self.regulariser not in ("decay", "kl"):
            raise unknown("regulariser", self.regulariser, ("decay", "kl"))
        self.alpha_weight_decay = 0.0 if self.regulariser == "kl" else None

    def concentration(self) -> Weights:
        """elu(alpha) + 1, computed so that it stays positive in float32 for very negative alpha."""
        alpha = self.alpha
        return torch.where(alpha > 0, alpha + 1, alpha.clamp(max=0).exp())

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """One draw from each edge's Dirichlet distribution, differentiable through pathwise derivatives."""
        return Dirichlet(self.concentration(), validate_args=False).rsample()

    def expected(self) -> Weights:
        """The Dirichlet mean: concentration divided by its sum."""
        concentration = self.concentration()
        return concentration / concentration.sum(-1, keepdim=True)

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:
        """`kl_weight` times the KL divergence to the uniform Dirichlet if `regulariser` is `kl`, else 0."""
        if self.regulariser == "decay":
            return super().penalty(drawn, progress)
        current = Dirichlet(self.concentration(), validate_args=False)
        uniform = Dirichlet(torch.ones_like(self.alpha), validate_args=False)
        return self.kl_weight * kl_divergence(current, uniform).sum()
