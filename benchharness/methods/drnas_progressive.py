"""DrNAS with progressive learning (Chen, Wang, Cheng, Tang & Hsieh, ICLR 2021, section 3.3)."""

import torch
from torch import Tensor
from torch.distributions import Dirichlet

from benchharness.methods._base import Weights
from benchharness.methods.drnas import Drnas


class DrnasProgressive(Drnas):
    """DrNAS, progressive: all operations on 1/4 of the channels, then the 3 strongest per edge on 1/2 of them.

    Alpha is not updated in the first fifth of each half of the search (10 of 50 epochs in the paper). With `restart`,
    as in the authors' code, the second half starts a new SGD at the first learning rate, which then falls along the
    scaled rest of the cosine (0.0250 at epoch 50 of 100, 0.0176 at 60). Without `restart`, as in the paper, the cosine
    continues. In both cases channels are duplicated with their statistics and momentum, each once and at half the
    weight; the authors duplicate randomly drawn channels at full weight. Pruned operations stay in the supernet with
    weight zero, so the second stage saves less time than theirs.
    """

    version = 2

    first = 4
    second = 2
    kept = 3
    rest = 0.2
    restart = True
    order: Tensor

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        self.register_buffer("order", torch.arange(ops).repeat(edges, 1))
        self.open = ops

    def partials(self) -> tuple[int, ...]:
        """The partial channels k of both stages."""
        return (self.first, self.second)

    def narrow(self) -> None:
        """On every edge, keep the `kept` operations with the largest concentration."""
        self.order.copy_(self.concentration().detach().argsort(-1, descending=True))
        self.open = min(self.kept, self.open)

    def restarts_rate(self) -> bool:
        """The option `restart`."""
        return self.restart

    def moves_alpha(self, progress: float) -> bool:
        """False in the first part of each stage, while the weights warm up."""
        return min(progress, 1 - 1e-9) % 0.5 >= self.rest / 2

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """A Dirichlet draw over each edge's open operations."""
        return self._placed(Dirichlet(self._open(), validate_args=False).rsample())

    def expected(self) -> Weights:
        """The Dirichlet mean over each edge's open operations."""
        concentration = self._open()
        return self._placed(concentration / concentration.sum(-1, keepdim=True))

    def get_extra_state(self) -> Tensor:
        """The number of open operations per edge, for checkpoints."""
        return torch.tensor(self.open)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the number returned by `get_extra_state`."""
        self.open = int(state)

    def _open(self) -> Tensor:
        return self.concentration().gather(1, self.order[:, : self.open])

    def _placed(self, values: Tensor) -> Weights:
        return torch.zeros_like(self.alpha).scatter(1, self.order[:, : self.open], values)
