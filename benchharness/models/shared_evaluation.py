"""Logits of many candidates (edge weights or cells) on the same images, with shared work computed once.

Each candidate's logits are, up to rounding, those of `Supernet.forward` or, for a cell, of `Supernet.one_hot`, and the
same whichever candidates are evaluated with it. The edge weights that selections evaluate hold many zeros; operations
of zero weight, and edges from which no path leads to the output, are not computed.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property, reduce
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.models.layers import Fan, pool
from benchharness.models.supernet import LEAVING, MixedCell, Supernet, apart
from benchharness.space import CONV1, CONV3, EDGES, NONE, POOL, SKIP, Arch, live_edges

Candidate = Float[Tensor, "edges ops"] | Arch


def logits(
    net: Supernet, images: Float[Tensor, "batch 3 height width"], candidates: Sequence[Candidate]
) -> Iterator[Float[Tensor, "batch classes"]]:
    """Each candidate's logits in turn, for a `net` in evaluation mode."""
    stem = net.begin(images)
    for candidate in candidates:
        if isinstance(candidate, tuple):
            yield net.onward(stem, lambda cell, x, arch=candidate: cell.one_hot(x, arch))  # type: ignore[misc]
        elif net.partial > 1:
            weights = apart(candidate, stem.dtype)
            yield net.onward(stem, lambda cell, x, weights=weights: cell(x, weights))  # type: ignore[misc]
        else:
            mixture = _Mixture(candidate)
            yield net.onward(stem, lambda cell, x, mixture=mixture: mixture.output(cell, x))  # type: ignore[misc]


class _Mixture:
    """Edge weights, and the edges of a cell that they use."""

    def __init__(self, weights: Float[Tensor, "edges ops"]) -> None:
        self.weights = weights
        self.rows = [[0.0 if op == NONE else weight for op, weight in enumerate(row)] for row in weights.tolist()]
        """Every edge's weights, with those of `none` set to zero, since `none` adds nothing at any weight."""
        self.live = live_edges([any(row) for row in self.rows])

    def output(self, cell: nn.Module, x: Tensor) -> Tensor:
        """The features of the cell's output node."""
        nodes: list[_Node] = []
        for number in range(3):
            nodes.append(_Node(cast(MixedCell, cell), number, self._arriving(x, number, nodes), self))
        return self._arriving(x, 3, nodes)

    def _arriving(self, x: Tensor, number: int, nodes: "Sequence[_Node]") -> Tensor:
        """A node's features: the sum over the edges that enter it; zeros if all of these are zero."""
        if number == 0:
            return x
        edges = [(edge, source) for edge, (target, source) in enumerate(EDGES) if target == number and self.live[edge]]
        sums = [nodes[source].along(edge) for edge, source in edges]
        return reduce(torch.add, sums) if sums else torch.zeros_like(x)


class _Node:
    """A node's features and, computed on first use, the outputs of a mixture's operations on them."""

    def __init__(self, cell: MixedCell, number: int, features: Tensor, mixture: _Mixture) -> None:
        self.cell, self.number, self.features, self.mixture = cell, number, features, mixture
        self.convolved: dict[int, tuple[Tensor, ...]] = {}

    def along(self, edge: int) -> Tensor:
        """The features sent along `edge`: the weighted sum of its operations."""
        row, weights = self.mixture.rows[edge], self.mixture.weights[edge]
        total = None
        for op in (op for op in (CONV1, CONV3, SKIP, POOL) if row[op] != 0):
            if op in (CONV1, CONV3):
                features, weight = self._convolution(op)[LEAVING[self.number].index(edge)], None
            else:
                features, weight = self.features if op == SKIP else self._pooled, weights[op].to(self.features.dtype)
            if total is None:
                total = features if weight is None else features * weight
            else:
                total = total + features if weight is None else torch.addcmul(total, features, weight)
        assert total is not None
        return total

    def _convolution(self, op: int) -> tuple[Tensor, ...]:
        """The weighted convolutions of one kind on all edges that leave this node."""
        if op not in self.convolved:
            fan = (self.cell.conv1 if op == CONV1 else self.cell.conv3)[self.number]
            assert isinstance(fan, Fan)
            gains = torch.stack([self.mixture.weights[edge, op] for edge in LEAVING[self.number]])
            self.convolved[op] = fan(self._active, gains).split(self.cell.mixed, 1)
        return self.convolved[op]

    @cached_property
    def _active(self) -> Tensor:
        return F.relu(self.features)

    @cached_property
    def _pooled(self) -> Tensor:
        return pool(self.features)
