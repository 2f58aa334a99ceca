"""DARTS-PT with fixed alpha (Wang et al., ICLR 2021, section 6): only the selection chooses the cell."""

from typing import ClassVar

import torch
from torch import nn

from benchharness.methods.darts_pt import DartsPt


class DartsPtFixed(DartsPt):
    """DARTS-PT with fixed alpha: a supernet trained with all operations mixed equally; derives by perturbation."""

    trains_as: ClassVar[str | None] = None

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        self.alpha = nn.Parameter(torch.zeros(edges, ops), requires_grad=False)

    def moves_alpha(self, progress: float) -> bool:  # noqa: ARG002
        """False: alpha is never updated."""
        return False
