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
    """First order; only the drawn operations are computed."""

    def logits(self, batch: Batch, drawn: Weights) -> Float[Tensor, "batch classes"]:
        """Logits of the drawn operations scaled by their weights, with the other weights added as numbers."""
        if getattr(self.method, "estimator", "") == "all":
            return super().logits(batch, drawn)
        return self.net.one_hot(batch.images, _cell(drawn), drawn)


class Gdas(Snas):
    """GDAS: a hard Gumbel draw with the soft draw's gradient (straight-through); the temperature falls to 0.1.

    With `estimator` `drawn`, as in the authors' code, only one of five operations is computed: an edge's output is the
    drawn operation's output times its weight, plus the other operations' weights as numbers. These weights are zero, so
    they do not change the output; but the gradient of an undrawn weight is the sum of the node's gradient, independent
    of its operation. With `all`, which is how we read the paper's equations, every operation is computed in alpha's
    and the weights' step, and the gradient of an undrawn weight is the inner product of its operation's output with the
    node's gradient. The authors' code redraws if the noise overflows; here the noise is bounded.
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
        """One-hot rows with the gradient of the Gumbel-softmax rows whose argmax they are."""
        soft = super().draw(progress)
        hard = torch.zeros_like(soft).scatter(-1, soft.argmax(-1, keepdim=True), 1.0)
        return hard + (soft - soft.detach())

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """The drawn cell, so that only its operations are computed; with the estimator `all`, its one-hot rows."""
        drawn = self.draw(progress)
        return drawn if self.estimator == "all" else _cell(drawn)


def _cell(drawn: Weights) -> Arch:
    return tuple(drawn.argmax(-1).tolist())  # sync: Python must know what to compute
