"""The base of every method: who owns the architecture distribution, draws edge weights from it and regularises it."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

Weights = Float[Tensor, "edges ops"]


class Method(nn.Module):
    """How a differentiable search draws, regularises and reads out its edge weights.

    A method is one file in this folder, or anywhere when named by its path; the file's name is the method's name.
    Lower-case class attributes that are numbers, strings or truth values are its options (`--methods mine:width=3`).
    """

    update: ClassVar[str] = "first"
    """`first`: alternate weights and alpha, first order. `none`: nothing is trained."""
    selection: ClassVar[str] = "magnitude"
    """How a cell is read out; a name in `selection`."""
    trains_as: ClassVar[str | None] = None
    """The method whose supernet this one reads out, where it trains none of its own."""
    alpha_weight_decay: float | None = None
    """Weight decay on alpha where it is not the protocol's."""

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(1e-3 * torch.randn(edges, ops))

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """Edge weights for one forward pass, differentiable in alpha; `progress` runs from 0 to 1 over the search."""
        return self.expected()

    def expected(self) -> Weights:
        """The mean of `draw`, which selections and plots read; rows are non-negative and sum to 1."""
        return self.alpha.softmax(-1)

    def penalty(self) -> Float[Tensor, ""]:
        """A term added to the loss that updates alpha, and to no other."""
        return self.alpha.new_zeros(())
