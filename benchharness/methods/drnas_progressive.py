"""DrNAS with progressive learning (Chen, Wang, Cheng, Tang & Hsieh, ICLR 2021, section 3.3)."""

import torch
from torch import Tensor
from torch.distributions import Dirichlet

from benchharness.methods._base import Weights
from benchharness.methods.drnas import Drnas


class DrnasProgressive(Drnas):
    """DrNAS, progressive: all operations on 1/4 of the channels, then the 3 strongest per edge on 1/2 of them.

    Alpha rests in the first fifth of each half of the search (10 of 50 epochs in the paper). With `restart`, as in the
    authors' code, the second half begins with an SGD of its own at the first learning rate, which falls from there in
    the proportions in which the whole cosine falls (0.0250 at epoch 50 of 100, 0.0176 at 60); without, as in the paper,
    the cosine goes on. Either way channels are duplicated with their statistics and momentum, each once and at half the
    weight; the authors duplicate randomly drawn ones at full weight. Pruned operations keep their place with weight
    zero, so that the second stage is not as cheap as theirs.
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
        """The k of both stages."""
        return (self.first, self.second)

    def narrow(self) -> None:
        """Keep the `kept` operations of largest concentration on every edge."""
        self.order.copy_(self.concentration().detach().argsort(-1, descending=True))
        self.open = min(self.kept, self.open)

    def restarts_rate(self) -> bool:
        """As `restart` says."""
        return self.restart

    def moves_alpha(self, progress: float) -> bool:
        """Not while a stage's weights warm up."""
        return min(progress, 1 - 1e-9) % 0.5 >= self.rest / 2

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """A Dirichlet draw over each edge's open operations."""
        return self._placed(Dirichlet(self._open(), validate_args=False).rsample())

    def expected(self) -> Weights:
        """The mean of that draw."""
        concentration = self._open()
        return self._placed(concentration / concentration.sum(-1, keepdim=True))

    def get_extra_state(self) -> Tensor:
        """How many operations are open per edge, for checkpoints."""
        return torch.tensor(self.open)

    def set_extra_state(self, state: Tensor) -> None:
        """Go back to what `get_extra_state` gave."""
        self.open = int(state)

    def _open(self) -> Tensor:
        return self.concentration().gather(1, self.order[:, : self.open])

    def _placed(self, values: Tensor) -> Weights:
        return torch.zeros_like(self.alpha).scatter(1, self.order[:, : self.open], values)
