"""The supernet of NAS-Bench-201: every operation on every edge, with shared weights.

Structure after Dong & Yang (ICLR 2020): stem, three stages of cells at C, 2C and 4C channels, residual blocks between
them, global pooling, a linear classifier. The result is that of the plain formulation, with less work: the edges that
leave one node share its ReLU and its pooling and run as one wider 3x3 and one wider 1x1 convolution, and the edge
weights are the gain of the batch normalisation that follows. `none` costs nothing. Edge weights are plain inputs: the
supernet knows nothing of alpha.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import repeat
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.models.layers import Fan, Skeleton, pool
from benchharness.space import CONV1, CONV3, EDGES, NONE, OPS, POOL, SKIP, Arch

LEAVING: Final = tuple(tuple(e for e, (_, source) in enumerate(EDGES) if source == node) for node in range(3))
"""The edges that leave nodes 0, 1 and 2, in the order in which a wide convolution computes them."""
_KERNEL: Final = {CONV1: 1, CONV3: 3}


class NodeWeights(NamedTuple):
    """The weights of the edges that leave one node, split up as a cell uses them."""

    conv1: Float[Tensor, " leaving"]
    conv3: Float[Tensor, " leaving"]
    skip: tuple[Float[Tensor, ""], ...]
    pool: tuple[Float[Tensor, ""], ...]
    sums: tuple[Float[Tensor, ""], ...]
    """Each edge's sum of weights over its operations, by which bypassing channels may be scaled."""


def apart(weights: Float[Tensor, "edges ops"], dtype: torch.dtype) -> tuple[NodeWeights, ...]:
    """The weights of the edges that leave nodes 0, 1 and 2; weights that scale features have the features' `dtype`.

    Split once for all cells, since on a GPU every small slice costs as much time as a layer. With another dtype,
    autocast would widen the features that they scale.
    """
    sums = weights.sum(-1).to(dtype).unbind()
    by_node = [torch.stack([weights[edge] for edge in edges]).unbind(1) for edges in LEAVING]  # no index list to copy
    return tuple(
        NodeWeights(
            weights_of_node[CONV1],
            weights_of_node[CONV3],
            weights_of_node[SKIP].to(dtype).unbind(),
            weights_of_node[POOL].to(dtype).unbind(),
            sums,
        )
        for weights_of_node in by_node
    )


class MixedCell(nn.Module):
    """A cell whose edges carry weighted sums of all operations; `partial` = k mixes only 1/k of the channels.

    The other channels bypass the operations; `weighs_bypass` scales them by the sum of their edge's weights.
    """

    def __init__(self, channels: int, partial: int = 1, weighs_bypass: bool = False) -> None:
        super().__init__()
        self.partial, self.weighs_bypass = partial, weighs_bypass
        self.mixed = channels // partial
        self.conv1 = nn.ModuleList(Fan(self.mixed, len(edges), 1) for edges in LEAVING)
        self.conv3 = nn.ModuleList(Fan(self.mixed, len(edges), 3) for edges in LEAVING)

    def forward(self, x: Tensor, weights: Sequence[NodeWeights], sent: "Sent | None" = None) -> Tensor:
        """Features of the output node, same shape as `x` (batch, channels, height, width), laid out as `x` is.

        `sent` replaces the method of that name.
        """
        past: list[Tensor] = []
        inputs: dict[int, list[Tensor]] = {1: [], 2: [], 3: []}
        for source, node_weights in enumerate(weights):
            node = self._through(x, past)
            edge_outputs = (sent or MixedCell.sent)(self, source, node, node_weights)
            for edge, edge_output in zip(LEAVING[source], edge_outputs, strict=True):
                inputs[EDGES[edge][0]].append(edge_output)
            gains = node_weights.sums if self.weighs_bypass else None
            x = self._joined(reduce(torch.add, inputs[source + 1]), past, gains)
        return x

    def sent(
        self, source: int, node: Tensor, node_weights: NodeWeights, convolved: "Convolved | None" = None
    ) -> Iterable[Tensor]:
        """What node `source` sends along each of its edges, from its features that are mixed.

        `convolved` stands in for the method of that name.
        """
        active, pooled = F.relu(node), pool(node)
        convolutions = (convolved or MixedCell.convolved)(self, source, active, node_weights).split(self.mixed, 1)
        return [
            torch.addcmul(torch.addcmul(convolution, node, skip), pooled, pooling)
            for convolution, skip, pooling in zip(convolutions, node_weights.skip, node_weights.pool, strict=True)
        ]

    def convolved(self, source: int, active: Tensor, node_weights: NodeWeights) -> Tensor:
        """Both weighted convolutions of the rectified features, added, with the edges' outputs side by side."""
        sums: Tensor = self.conv1[source](active, node_weights.conv1) + self.conv3[source](active, node_weights.conv3)
        return sums

    def one_hot(self, x: Tensor, cell: Sequence[int], weights: Float[Tensor, "edges ops"] | None = None) -> Tensor:
        """The result of `forward` for one-hot weights, computing only the operations of `cell`.

        With `weights`, each operation is scaled by its weight, and the other operations' weights are added as numbers.
        """
        past: list[Tensor] = []
        nodes: list[Tensor] = []
        for target in (1, 2, 3):
            nodes.append(self._through(x, past))
            inputs = []
            for edge, (node, source) in enumerate(EDGES):
                if node == target and cell[edge] != NONE:
                    output = self._operation(edge, cell[edge], nodes[source])
                    inputs.append(output if weights is None else output * weights[edge, cell[edge]])
            total = reduce(torch.add, inputs) if inputs else torch.zeros_like(nodes[0])
            if weights is not None:
                into = [edge for edge, (node, _) in enumerate(EDGES) if node == target]
                total = total + sum(weights[edge, op] for edge in into for op in range(len(OPS)) if op != cell[edge])
            x = self._joined(total, past)
        return x

    def operation(self, edge: int, op: int) -> dict[str, Tensor]:
        """Views of one operation's convolution weight and running statistics on one edge; empty if it has none."""
        if op not in _KERNEL:
            return {}
        fan, place = self._fan(edge, op)
        span = slice(place * self.mixed, (place + 1) * self.mixed)
        tensors = {"weight": fan.convolution.weight, "mean": fan.norm.running_mean, "var": fan.norm.running_var}
        return {name: tensor.detach()[span] for name, tensor in tensors.items()}

    def _through(self, node: Tensor, past: list[Tensor]) -> Tensor:
        """The channels of `node` that pass through operations; bypassing channels, if any, are appended to `past`."""
        if self.partial == 1:
            return node
        through, bypass = node.split([self.mixed, node.shape[1] - self.mixed], 1)
        past.append(bypass)
        return through

    def _joined(self, total: Tensor, past: list[Tensor], gains: Sequence[Tensor] | None = None) -> Tensor:
        """The next node's features: `total`, joined by the bypassing channels if channels are partial."""
        if self.partial == 1:
            return total
        if gains is not None:
            into = [gains[edge] for edge, (target, _) in enumerate(EDGES) if target == len(past)]
            past = [node * gain for node, gain in zip(past, into, strict=True)]
        return torch.channel_shuffle(torch.cat([total, reduce(torch.add, past)], 1), self.partial)

    def _operation(self, edge: int, op: int, x: Tensor) -> Tensor:
        if op == SKIP:
            return x
        if op == POOL:
            return pool(x)
        fan, place = self._fan(edge, op)
        return fan.one(F.relu(x), place)

    def _fan(self, edge: int, op: int) -> tuple[Fan, int]:
        source = EDGES[edge][1]
        fan = (self.conv1 if op == CONV1 else self.conv3)[source]
        assert isinstance(fan, Fan)
        return fan, LEAVING[source].index(edge)


Sent = Callable[[MixedCell, int, Tensor, NodeWeights], Iterable[Tensor]]
Convolved = Callable[[MixedCell, int, Tensor, NodeWeights], Tensor]
Forward = Callable[[MixedCell, Tensor, Sequence[NodeWeights]], Tensor]


class Supernet(Skeleton):
    """All 15,625 architectures in one network with shared weights (1,686,106 of them at C=16, N=5, ten classes)."""

    def __init__(
        self,
        classes: int = 10,
        channels: int = 16,
        cells: int = 5,
        partial: int = 1,
        weighs_bypass: bool = False,
        last_affine: bool = True,
    ) -> None:
        super().__init__(lambda width: MixedCell(width, partial, weighs_bypass), classes, channels, cells, last_affine)
        self.partial, self.weighs_bypass = partial, weighs_bypass
        self.in_training: Forward | None = None
        """Replaces `MixedCell.forward` in training mode, such as by its compiled version; None for no replacement."""

    def begin(self, images: Float[Tensor, "batch 3 height width"]) -> Tensor:
        """The stem's features, channels-last except for evaluations with gradients, as for the Hessian in alpha.

        A row of it took 1.4 times as long with channels-last images (C=8, N=1, 64 images, one thread of an Intel Xeon,
        torch 2.13, 12 rows each); evaluations without gradients took 0.9 of the time.
        """
        if torch.is_grad_enabled() and not self.training:
            return super().begin(images)
        return super().begin(images.contiguous(memory_format=torch.channels_last))

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], weights: Float[Tensor, "edges ops"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits with every cell's edges mixed by `weights`."""
        stem = self.begin(images)
        node_weights = apart(weights, stem.dtype)
        run = (self.in_training if self.training else None) or MixedCell.forward
        return self.onward(stem, lambda cell, x: run(cell, x, node_weights))  # type: ignore[arg-type]

    def one_hot(
        self,
        images: Float[Tensor, "batch 3 height width"],
        cell: Sequence[int] | list[Arch],
        weights: Float[Tensor, "edges ops"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Logits of one architecture with inherited weights, computing only its own operations.

        A list gives one architecture per cell of the network. With `weights`, each operation is scaled by its weight,
        and the other operations' weights are added as numbers, so that they get a gradient without being computed.
        """
        each = iter(cell) if isinstance(cell, list) else repeat(cell)
        return self.through(images, lambda mixed, x: mixed.one_hot(x, next(each), weights))  # type: ignore[operator]

    @contextmanager
    def holding_weights(self) -> Iterator[None]:
        """Within a `with` block, the supernet's weights need no gradient.

        Compiled cells would compute it even if nobody asks for it; uncompiled, autograd leaves it out by itself.
        """
        trainable = [weight for weight in self.parameters() if weight.requires_grad] if self.in_training else []
        for weight in trainable:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in trainable:
                weight.requires_grad_(True)

    def mixed_cells(self) -> Iterator[MixedCell]:
        """The cells from input to output."""
        yield from (module for module in self.modules() if isinstance(module, MixedCell))


def widen(net: Supernet, trained_by: torch.optim.Optimizer, wider: Supernet, optimizer: torch.optim.Optimizer) -> None:
    """Copy weights, statistics and momentum of `net` to `wider`, which mixes more channels; channels are repeated.

    Net2Wider (Chen, Goodfellow & Shlens, ICLR 2016): a weight is divided among the copies of the channel that it reads.
    Where newly mixed channels are copies of old ones, every operation's output is therefore its old output, repeated.
    """
    times = net.partial // wider.partial
    fans = [(f"{name}.", module) for name, module in net.named_modules() if isinstance(module, Fan)]

    def repeated(name: str, tensor: Tensor) -> Tensor:
        """`tensor` with its channels repeated for `wider`."""
        fan = next((fan for prefix, fan in fans if name.startswith(prefix)), None)
        return tensor.clone() if fan is None else fan.repeated(tensor, times)

    weights = {name: repeated(name, tensor) for name, tensor in net.state_dict().items()}
    for prefix, _ in fans:
        weights[f"{prefix}convolution.weight"] /= times
    wider.load_state_dict(weights)
    targets = dict(wider.named_parameters())
    for name, parameter in net.named_parameters():
        momentum = trained_by.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            optimizer.state[targets[name]]["momentum_buffer"] = repeated(name, momentum)
