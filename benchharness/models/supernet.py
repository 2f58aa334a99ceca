"""The NAS-Bench-201 network with every operation on every edge, and the stand-alone parts that it shares with one cell.

Structure after Dong & Yang (ICLR 2020): stem, three stages of cells at C, 2C and 4C channels, residual blocks between
them, global pooling, a linear classifier. It computes what the plain formulation computes but shares work: the edges
that leave one node share its ReLU and its pooling and run as one wider 3x3 and one wider 1x1 convolution, and the edge
weights enter as the gain of the batch normalisation that follows. `none` costs nothing. Weights are plain inputs: the
supernet knows nothing of alpha.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any, Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.space import CONV1, CONV3, EDGES, NONE, POOL, SKIP

LEAVING: Final = tuple(tuple(e for e, (_, source) in enumerate(EDGES) if source == node) for node in range(3))
"""The edges that leave nodes 0, 1 and 2, in the order in which a wide convolution holds them."""
_KERNEL: Final = {CONV1: 1, CONV3: 3}


class NodeWeights(NamedTuple):
    """The weights of the edges that leave one node, taken apart as a cell in training needs them."""

    conv1: Float[Tensor, " leaving"]
    conv3: Float[Tensor, " leaving"]
    skip: tuple[Float[Tensor, ""], ...]
    pool: tuple[Float[Tensor, ""], ...]
    sums: tuple[Float[Tensor, ""], ...]
    """Of every edge of the cell over its operations: what partial channels that bypass may be scaled by."""


def leaving(node: int, weights: Float[Tensor, "edges ops"]) -> Float[Tensor, "leaving ops"]:
    """The rows of the edges that leave `node`; a list as an index would be copied to the device every time."""
    return torch.stack([weights[edge] for edge in LEAVING[node]])


def apart(weights: Float[Tensor, "edges ops"]) -> tuple[NodeWeights, ...]:
    """The weights of the edges that leave nodes 0, 1 and 2.

    Made once for all cells: on a GPU each piece of thirty numbers costs as much as a layer.
    """
    sums, parts = weights.sum(-1).unbind(), [leaving(node, weights).unbind(1) for node in range(3)]
    return tuple(NodeWeights(own[CONV1], own[CONV3], own[SKIP].unbind(), own[POOL].unbind(), sums) for own in parts)


class Norm(nn.Module):
    """Batch normalisation whose gain may be given per call and which can use batch statistics unrecorded."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, affine: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.batch_statistics = False

    def forward(self, x: Tensor, gain: Tensor | None = None) -> Tensor:
        """`x` normalised per channel and scaled by `gain`, or by the module's own affine weights."""
        return self._normalised(x, slice(None), self.weight if gain is None else gain)

    def part(self, x: Tensor, channels: slice) -> Tensor:
        """`x` normalised as the module's `channels` are, without any affine weights."""
        return self._normalised(x, channels, None)

    def _normalised(self, x: Tensor, channels: slice, gain: Tensor | None) -> Tensor:
        mean, var = self.running_mean[channels], self.running_var[channels]
        if self.batch_statistics and not self.training:
            return F.batch_norm(x, None, None, gain, self.bias, True, 0.1, 1e-5)
        return F.batch_norm(x, mean, var, gain, self.bias, self.training, 0.1, 1e-5)


class Fan(nn.Module):
    """All convolutions of one kind on the edges that leave one node, as one wider convolution and normalisation."""

    def __init__(self, channels: int, edges: int, kernel: int) -> None:
        super().__init__()
        self.channels = channels
        self.convolution = nn.Conv2d(channels, edges * channels, kernel, padding=kernel // 2, bias=False)
        self.norm = Norm(edges * channels, affine=False)

    def forward(self, active: Tensor, gains: Float[Tensor, " edges"]) -> Tensor:
        """The edges' weighted outputs side by side, from the node's rectified features."""
        return self.norm(self.convolution(active), gains.repeat_interleave(self.channels))

    def repeated(self, held: Tensor, times: int) -> Tensor:
        """A weight, statistic or momentum of this fan as a fan `times` as wide holds it, every channel repeated."""
        rest = [1] * (held.dim() - 1)
        wide = held.unflatten(0, (-1, self.channels)).repeat(1, times, *rest).flatten(0, 1)
        return wide if held.dim() == 1 else wide.repeat(1, times, 1, 1)

    def one(self, active: Tensor, place: int) -> Tensor:
        """The output of the edge at `place` alone."""
        own = slice(place * self.channels, (place + 1) * self.channels)
        features = F.conv2d(active, self.convolution.weight[own], padding=self.convolution.kernel_size[0] // 2)
        return self.norm.part(features, own)


@lru_cache(maxsize=16)
def band(size: int, dtype: torch.dtype, device: torch.device | None = None) -> Float[Tensor, "size size"]:
    """The matrix that averages each entry with its neighbours, over what is there at the ends."""
    near = torch.ones(size, size, dtype=dtype, device=device).tril(1).triu(-1)
    return near / near.sum(1, keepdim=True)


def pool(x: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """The 3x3 average pooling of the space: stride 1, borders averaged over what is there.

    On a CPU as two products with band matrices, since rows and columns average independently: forward and backward
    took 4.0 ms where `avg_pool2d` took 12.9 (64x8x32x32, float32, one thread of an AMD EPYC, torch 2.13).
    """
    if x.device.type != "cpu":
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return band(x.shape[-2], x.dtype) @ (x @ band(x.shape[-1], x.dtype).T)


def shares(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "height width"]:
    """What each entry of a 3x3 window weighs in the window's mean: fewer entries are there at the borders."""
    rows, columns = (torch.ones(n, n, dtype=dtype, device=device).tril(1).triu(-1).sum(1) for n in (height, width))
    return 1 / (rows.unsqueeze(1) * columns)


_SHARES: Final = lru_cache(maxsize=16)(shares)


class Taps(torch.autograd.Function):
    """`pool` as sums of shifted features, for features with channels last, which the band products would transpose.

    Forward and backward took 1.1 ms where `avg_pool2d` took 4.4 and the band products 5.7 (64x8x32x32, channels last,
    float32, one thread of an AMD EPYC, torch 2.13).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Float[Tensor, "height width"]) -> Tensor:
        """The average over each entry's neighbours; each weighs its `share`."""
        ctx.save_for_backward(share)
        return _window(x).mul_(share)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """A window reaches an entry wherever the entry's own window reaches."""
        (share,) = ctx.saved_tensors
        return _window(slope * share), None


def _window(x: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """The sum over each entry's 3x3 window."""
    for dim in (-2, -1):
        total, reach = x.clone(), x.shape[dim] - 1
        total.narrow(dim, 1, reach).add_(x.narrow(dim, 0, reach))
        total.narrow(dim, 0, reach).add_(x.narrow(dim, 1, reach))
        x = total
    return x


def pool_in_training(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """What `pool` gives, for features with channels last; one kernel on a GPU, or part of a compiled one."""
    compiling = torch.compiler.is_compiling()
    if x.is_cuda and not compiling:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    height, width = x.shape[-2:]
    share = (shares if compiling else _SHARES)(height, width, x.dtype, x.device)  # the compiler warns of caches
    averaged: Tensor = Taps.apply(x, share)  # type: ignore[no-untyped-call]
    return averaged


class MixedCell(nn.Module):
    """A cell whose edges carry weighted sums of all operations; `partial` = k mixes only 1/k of the channels.

    The other channels bypass the operations; with `weighs_bypass` scaled by the sum of their edge's weights.
    """

    def __init__(self, channels: int, partial: int = 1, weighs_bypass: bool = False) -> None:
        super().__init__()
        self.partial, self.weighs_bypass = partial, weighs_bypass
        self.mixed = channels // partial
        self.conv1 = nn.ModuleList(Fan(self.mixed, len(edges), 1) for edges in LEAVING)
        self.conv3 = nn.ModuleList(Fan(self.mixed, len(edges), 3) for edges in LEAVING)

    def forward(self, x: Tensor, weights: Float[Tensor, "edges ops"]) -> Tensor:
        """Features of the output node, same shape as `x` (batch, channels, height, width)."""
        past: list[Tensor] = []
        arriving: dict[int, list[Tensor]] = {1: [], 2: [], 3: []}
        gains = weights.sum(-1).unbind() if self.weighs_bypass else None
        for source in range(3):
            node = self._through(x, past)
            spread = self._spread(source, node, leaving(source, weights).unbind(1))
            for edge, part in zip(LEAVING[source], spread.unbind(1), strict=True):
                arriving[EDGES[edge][0]].append(part)
            x = self._joined(reduce(torch.add, arriving[source + 1]), past, gains)
        return x

    def trained(self, x: Tensor, weights: Sequence[NodeWeights]) -> Tensor:
        """What `forward` gives in other last bits, quicker: for training steps, with channels last throughout.

        Five-dimensional stacks would have every gradient transposed; forward and backward of a whole step took 1.45
        times as long with them (C=8, N=1 and 3, one thread of an AMD EPYC, torch 2.13).
        """
        past: list[Tensor] = []
        arriving: dict[int, list[Tensor]] = {1: [], 2: [], 3: []}
        for source, own in enumerate(weights):
            node = self._through(x, past)
            active, pooled = F.relu(node), pool_in_training(node)
            sent = self.conv1[source](active, own.conv1) + self.conv3[source](active, own.conv3)
            parts = zip(LEAVING[source], sent.split(self.mixed, 1), own.skip, own.pool, strict=True)
            for edge, part, skip, pooling in parts:
                arriving[EDGES[edge][0]].append(torch.addcmul(torch.addcmul(part, node, skip), pooled, pooling))
            gains = own.sums if self.weighs_bypass else None
            x = self._joined(reduce(torch.add, arriving[source + 1]), past, gains)
        return x

    def one_hot(self, x: Tensor, cell: Sequence[int]) -> Tensor:
        """What `forward` gives for one-hot weights, computing only the operations that `cell` names."""
        past: list[Tensor] = []
        nodes: list[Tensor] = []
        for target in (1, 2, 3):
            nodes.append(self._through(x, past))
            arriving = []
            for edge, (node, source) in enumerate(EDGES):
                if node == target and cell[edge] != NONE:
                    arriving.append(self._operation(edge, cell[edge], nodes[source]))
            x = self._joined(reduce(torch.add, arriving) if arriving else torch.zeros_like(nodes[0]), past)
        return x

    def operation(self, edge: int, op: int) -> dict[str, Tensor]:
        """Views of one operation's convolution weight and running statistics on one edge; empty if it has none."""
        if op not in _KERNEL:
            return {}
        fan, place = self._fan(edge, op)
        span = slice(place * self.mixed, (place + 1) * self.mixed)
        held = {"weight": fan.convolution.weight, "mean": fan.norm.running_mean, "var": fan.norm.running_var}
        return {name: tensor.detach()[span] for name, tensor in held.items()}

    def _spread(self, source: int, x: Tensor, own: tuple[Tensor, ...]) -> Tensor:
        """What node `source` sends along each of its edges: (batch, edges, channels, height, width)."""
        active = F.relu(x)
        sent = self.conv1[source](active, own[CONV1]) + self.conv3[source](active, own[CONV3])
        shape = (1, -1, 1, 1, 1)
        sent = sent.unflatten(1, (len(LEAVING[source]), -1))
        sent = torch.addcmul(sent, x.unsqueeze(1), own[SKIP].view(shape))
        return torch.addcmul(sent, pool(x).unsqueeze(1), own[POOL].view(shape))

    def _through(self, node: Tensor, past: list[Tensor]) -> Tensor:
        """The channels of `node` that pass through operations; those that bypass them, if any, are added to `past`."""
        if self.partial == 1:
            return node
        through, bypass = node.split([self.mixed, node.shape[1] - self.mixed], 1)
        past.append(bypass)
        return through

    def _joined(self, total: Tensor, past: list[Tensor], gains: Sequence[Tensor] | None = None) -> Tensor:
        """The next node: the `total` that arrives there and, with partial channels, what bypasses operations."""
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
            return pool_in_training(x) if self.training else pool(x)
        fan, place = self._fan(edge, op)
        return fan.one(F.relu(x), place)

    def _fan(self, edge: int, op: int) -> tuple[Fan, int]:
        source = EDGES[edge][1]
        fan = (self.conv1 if op == CONV1 else self.conv3)[source]
        assert isinstance(fan, Fan)
        return fan, LEAVING[source].index(edge)


class ResidualBlock(nn.Module):
    """Halves the resolution and widens the channels between two stages."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wider, 3, stride=2, padding=1, bias=False)
        self.first_norm = Norm(wider)
        self.second = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.second_norm = Norm(wider)
        self.shortcut = nn.Conv2d(channels, wider, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features at half the resolution."""
        inner = self.first_norm(self.first(F.relu(x)))
        return self.second_norm(self.second(F.relu(inner))) + self.shortcut(F.avg_pool2d(x, 2))


class Skeleton(nn.Module):
    """The network around the cells; `cell(channels)` makes each of them."""

    def __init__(self, cell: Callable[[int], nn.Module], classes: int, channels: int, cells: int) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels]
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.stem_norm = Norm(channels)
        self.stages = nn.ModuleList(nn.ModuleList(cell(width) for _ in range(cells)) for width in widths)
        self.blocks = nn.ModuleList(ResidualBlock(*pair) for pair in pairwise(widths))
        self.last_norm = Norm(widths[-1])
        self.classifier = nn.Linear(widths[-1], classes)

    def through(self, images: Tensor, run_cell: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        """Logits (batch, classes) of normalised `images` (batch, 3, height, width), each cell applied by `run_cell`."""
        return self.onward(self.begin(images), run_cell)

    def begin(self, images: Tensor) -> Tensor:
        """The stem's features, which the first cell takes."""
        return self.stem_norm(self.stem(images))

    def onward(self, x: Tensor, run_cell: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        """Logits from the stem's features `x`."""
        for stage, block in zip(self.stages, [*self.blocks, None], strict=True):
            assert isinstance(stage, nn.ModuleList)
            for cell in stage:
                x = run_cell(cell, x)
            x = x if block is None else block(x)
        return self.classifier(F.relu(self.last_norm(x)).mean((2, 3))).to(self.classifier.weight.dtype)

    @contextmanager
    def evaluating(self, batch_statistics: bool = False) -> Iterator[None]:
        """Evaluation mode for the length of a block: running statistics, or the batch's own without recording them."""
        training = self.training
        self._set(False, batch_statistics)
        try:
            yield
        finally:
            self._set(training, False)

    def _set(self, training: bool, batch_statistics: bool) -> None:
        self.train(training)
        for module in self.modules():
            if isinstance(module, Norm):
                module.batch_statistics = batch_statistics


class Supernet(Skeleton):
    """All 15,625 architectures in one network with shared weights (1,686,106 of them at C=16, N=5, ten classes)."""

    def __init__(
        self, classes: int = 10, channels: int = 16, cells: int = 5, partial: int = 1, weighs_bypass: bool = False
    ) -> None:
        super().__init__(lambda width: MixedCell(width, partial, weighs_bypass), classes, channels, cells)
        self.partial, self.weighs_bypass = partial, weighs_bypass
        self.in_training: Callable[[MixedCell, Tensor, Sequence[NodeWeights]], Tensor] | None = None
        """What runs the cells in training mode where `MixedCell.trained` does not as it is."""

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], weights: Float[Tensor, "edges ops"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits with every cell's edges mixed by `weights`."""
        if not self.training:
            return self.through(images, lambda cell, x: cell(x, weights))
        run, own = self.in_training or MixedCell.trained, apart(weights)
        return self.through(_channels_last(images), lambda cell, x: run(cell, x, own))  # type: ignore[arg-type]

    def one_hot(
        self, images: Float[Tensor, "batch 3 height width"], cell: Sequence[int]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of one architecture with inherited weights, computing only its own operations."""
        images = _channels_last(images) if self.training else images
        return self.through(images, lambda mixed, x: mixed.one_hot(x, cell))  # type: ignore[operator]

    @contextmanager
    def holding_weights(self) -> Iterator[None]:
        """A forward pass from which no gradient of the supernet's weights will be asked.

        Compiled cells would compute it all the same; without them autograd leaves it out by itself.
        """
        held = [weight for weight in self.parameters() if weight.requires_grad] if self.in_training else []
        for weight in held:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in held:
                weight.requires_grad_(True)

    def mixed_cells(self) -> Iterator[MixedCell]:
        """The cells from input to output."""
        yield from (module for module in self.modules() if isinstance(module, MixedCell))


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def widen(net: Supernet, trained_by: torch.optim.Optimizer, wider: Supernet, optimizer: torch.optim.Optimizer) -> None:
    """Give `wider`, which mixes more channels, the weights, statistics and momentum of `net`, channels repeated.

    Net2Wider (Chen, Goodfellow & Shlens, ICLR 2016): repeated channels share the weight of what they read, so where the
    newly mixed channels are copies of the old ones every operation gives what it gave, repeated.
    """
    times = net.partial // wider.partial
    fans = [(f"{name}.", module) for name, module in net.named_modules() if isinstance(module, Fan)]

    def repeated(name: str, held: Tensor) -> Tensor:
        fan = next((fan for prefix, fan in fans if name.startswith(prefix)), None)
        return held.clone() if fan is None else fan.repeated(held, times)

    weights = {name: repeated(name, held) for name, held in net.state_dict().items()}
    for prefix, _ in fans:
        weights[f"{prefix}convolution.weight"] /= times
    wider.load_state_dict(weights)
    targets = dict(wider.named_parameters())
    for name, parameter in net.named_parameters():
        kept = trained_by.state.get(parameter, {}).get("momentum_buffer")
        if kept is not None:
            optimizer.state[targets[name]]["momentum_buffer"] = repeated(name, kept)
