"""SNAS as in its paper (Xie, Zheng, Liu & Lin, ICLR 2019): single level, one loss, and a resource constraint."""

import torch
from jaxtyping import Float
from torch import Tensor

from benchharness.errors import unknown
from benchharness.methods._base import Weights
from benchharness.methods.snas import Snas
from benchharness.space import CONV1, CONV3, POOL

CONSTRAINTS = {"none": 0.0, "mild": 1e-3, "moderate": 1e-2, "aggressive": 1e-1}
"""Weights of the resource term. The paper has the same three levels but publishes no numbers; these are ours."""
WIDTHS, SIDES = (16, 32, 64), (32, 16, 8)
"""Channels and resolution of the three stages of the network whose resources are counted (C = 16, 32x32 images)."""


class SnasSingle(Snas):
    """SNAS, single level: weights and alphas follow one loss on the training batch, which includes resource costs.

    `constraint` is none, mild, moderate or aggressive. It sets the weight of the resource term in the loss: the cost of
    the draw, summed over edges (equation 11). An operation's cost is the mean of its parameters, FLOPs and memory
    accesses, each relative to the 3x3 convolution's. The temperature falls linearly to 0.03 as in the authors' code.
    Only the protocol's training half is used, so that the validation half can judge the cell. The protocol initialises
    and decays alpha, as for every method.
    """

    update = "single"
    tau_max = 1.0
    tau_min = 0.03
    constraint = "none"
    prices: Tensor

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        if self.constraint not in CONSTRAINTS:
            raise unknown("constraint", self.constraint, CONSTRAINTS)
        self.register_buffer("prices", prices(ops), persistent=False)

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:  # noqa: ARG002
        """The constraint's weight times the cost of the drawn edge weights."""
        return CONSTRAINTS[self.constraint] * (drawn * self.prices).sum()


def cost(weights: Weights) -> Float[Tensor, ""]:
    """Resource cost of edge weights, in units of a 3x3 convolution: the sum over edges of weight times price."""
    return (weights * prices(weights.shape[-1]).to(weights)).sum()


def prices(ops: int) -> Float[Tensor, " ops"]:
    """Cost of each operation in units of the 3x3 convolution's; skip and none are free."""
    costs = torch.zeros(ops)
    for op in (CONV1, CONV3, POOL):
        pairs = zip(_resources(op), _resources(CONV3), strict=True)
        costs[op] = sum(op_cost / largest for op_cost, largest in pairs) / 3
    return costs


def _resources(op: int) -> tuple[float, float, float]:
    """Parameters, FLOPs and memory accesses of one operation, summed over one cell of each stage."""
    total = [0.0, 0.0, 0.0]
    for width, side in zip(WIDTHS, SIDES, strict=True):
        area = side * side
        if op == POOL:
            each = (0.0, 9.0 * area * width, 2.0 * area * width)
        else:
            weights = width * width * (1.0 if op == CONV1 else 9.0)
            each = (weights, weights * area, area * 2.0 * width + weights)
        total = [sum(pair) for pair in zip(total, each, strict=True)]
    return (total[0], total[1], total[2])
