"""GDAS (Dong & Yang, CVPR 2019): one operation per edge in the forward pass, and a gradient for all of them."""

import torch
from jaxtyping import Float
from torch import Tensor

from benchharness.data.device_images import Batch
from benchharness.errors import unknown
from benchharness.methods._base import Arch, Loss, Weights
from benchharness.methods._updates import FirstOrder
from benchharness.methods.snas import Snas


class Drawn(FirstOrder):
    """First order; computes only the operations that were drawn."""

    def logits(self, batch: Batch, drawn: Weights) -> Float[Tensor, "batch classes"]:
        """Drawn operations scaled by their weights, and the others' weights added as numbers."""
        if getattr(self.method, "estimator", "") == "all":
            return super().logits(batch, drawn)
        return self.net.one_hot(batch.images, _cell(drawn), drawn)


class Gdas(Snas):
    """GDAS: a hard Gumbel draw with the soft one's gradient (straight through), its temperature falling to 0.1.

    `estimator` is `drawn` as in the authors' code: an edge gives its drawn operation's output times that one's weight,
    plus the other operations' weights as plain numbers. They are zero, so the output is the drawn operation's; but an
    undrawn weight's gradient is the sum of the gradient that arrives at the node, whatever its operation would give,
    and only one of five operations is computed. With `all`, a reading of the paper's equations, every operation is
    computed in alpha's and the weights' step, and an undrawn weight's gradient is how its operation's output agrees
    with that gradient. The authors draw again where noise overflows; here noise is bounded.
    """

    version = 2
    update = Drawn
    tau_max = 10.0
    tau_min = 0.1
    estimator = "drawn"

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        if self.estimator not in ("drawn", "all"):
            raise unknown("estimator", self.estimator, ("drawn", "all"))

    def draw(self, progress: float) -> Weights:
        """One-hot rows, differentiable as the Gumbel-softmax rows that they are the argmax of."""
        soft = super().draw(progress)
        hard = torch.zeros_like(soft).scatter(-1, soft.argmax(-1, keepdim=True), 1.0)
        return hard + (soft - soft.detach())

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """One cell, of which alone the operations are computed; with the estimator `all`, its one-hot rows."""
        drawn = self.draw(progress)
        return drawn if self.estimator == "all" else _cell(drawn)


def _cell(drawn: Weights) -> Arch:
    return tuple(drawn.argmax(-1).tolist())  # sync: Python must know what to compute
