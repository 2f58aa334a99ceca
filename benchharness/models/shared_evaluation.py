"""Many candidates on the same images: logits at several edge weights, sharing the computation they have in common.

Each gets what `Supernet.forward` or, for a cell, `Supernet.one_hot` gives it alone. Spared are what an edge weighs with
zero and what leads nowhere; the stem, but for once a batch; and in the first cell, the only one whose input all
candidates share, the nodes that the last candidate had too and all convolutions of such a node. With partial channels
cells are run whole.

Processor time of operation strength (31 evaluations) over that of whole passes, one thread of an AMD EPYC, torch 2.13:
1.53 times less on digits at C=8, N=1 (n=3), 1.93 on 32x32 noise (n=1), 1.5 at C=16, N=5 (n=1, both); of ranking
cells 1.48, 1.41 and 1.25 to 1.41. Of a pass, the stem is 2 to 4 %, preparing the batch under 1 %; `inference_mode`
instead of `no_grad` gained 0 to 4 %, within the noise, and was left out.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, reduce
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.models.layers import Fan, pool
from benchharness.models.supernet import LEAVING, MixedCell, Supernet
from benchharness.space import CONV1, CONV3, EDGES, NONE, OPS, POOL, SKIP, Arch

Run = Callable[[nn.Module, Tensor], Tensor]
Kept = dict[int, tuple[object, "_Node"]]
"""Nodes by number, each with what it depends on."""


class Candidate:
    """Edge weights or one cell, with the operations of the supernet that they need."""

    def __init__(self, given: Float[Tensor, "edges ops"] | Arch) -> None:
        self.given = given
        weights = torch.eye(len(OPS))[list(given)] if isinstance(given, tuple) else given
        self.rows = [[0.0 if op == NONE else weight for op, weight in enumerate(row)] for row in weights.tolist()]
        """Every edge's weights but for those of `none`, which add nothing whatever they are."""
        self.used = _used(self.rows)

    def carrying(self, source: int, op: int) -> tuple[int, ...]:
        """The edges from node `source` that need operation `op`."""
        return tuple(edge for edge in LEAVING[source] if self.used[edge] and self.rows[edge][op] != 0)

    @property
    def is_cell(self) -> bool:
        """Whether this is a single cell, not a mixture."""
        return isinstance(self.given, tuple)

    def leaves(self, node: int) -> bool:
        """Whether any edge carries on what `node` holds."""
        return any(self.used[edge] for edge in LEAVING[node])

    def before(self, node: int) -> tuple[object, ...]:
        """Everything that the features of `node` depend on, as a key of the cache."""
        return self.is_cell, [row for row, (target, _) in zip(self.rows, EDGES, strict=True) if target <= node]

    def weight(self, edge: int, op: int) -> Tensor | None:
        """What `op` on `edge` is scaled by; None where that is one."""
        return None if isinstance(self.given, tuple) or self.rows[edge][op] == 1 else self.given[edge, op]

    def gain(self, edges: Sequence[int], op: int, channels: int) -> Tensor | None:
        """What every channel of `op` on `edges` is scaled by; None for a cell, which scales nothing."""
        if isinstance(self.given, tuple):
            return None
        return torch.cat([self.given[edge, op].expand(channels) for edge in edges])


def logits(
    net: Supernet, images: Float[Tensor, "batch 3 height width"], candidates: Sequence[Candidate]
) -> Iterator[Float[Tensor, "batch classes"]]:
    """Each candidate's logits in turn, for a `net` in evaluation mode.

    Neighbours had better differ on late edges: the first cell keeps what the last candidate needed of its nodes.
    """
    stem = net.begin(images)
    first = next(net.mixed_cells())
    cache: Kept | None = {} if len(candidates) > 1 else None
    for candidate in candidates:
        yield net.onward(stem, _runner(candidate, first, cache))


def _runner(candidate: Candidate, first: MixedCell, cache: "Kept | None") -> Run:
    """What runs one of the supernet's cells for `candidate`."""

    def run(cell: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(cell, MixedCell)
        if cell.partial > 1:
            given = candidate.given
            return cell.one_hot(x, given) if isinstance(given, tuple) else cell(x, given)
        return _output(cell, x, candidate, cache if cell is first else None)

    return run


def _output(cell: MixedCell, x: Tensor, candidate: Candidate, cache: "Kept | None") -> Tensor:
    """The cell's output; with `cache`, nodes are taken from there where they are the same, and left there."""
    nodes: dict[int, _Node] = {}
    kind, cache = (_Node, {}) if cache is None else (_Kept, cache)
    for number in filter(candidate.leaves, range(3)):
        key = candidate.before(number)
        if number not in cache or cache[number][0] != key:
            cache[number] = key, kind(cell, number, _arriving(x, number, nodes, candidate), candidate.is_cell)
        nodes[number] = cache[number][1]
    return _arriving(x, 3, nodes, candidate)


def _arriving(x: Tensor, number: int, nodes: "dict[int, _Node]", candidate: Candidate) -> Tensor:
    """A node's features: the sum of what its edges carry, zero where none carries anything."""
    if number == 0:
        return x
    edges = [(edge, source) for edge, (target, source) in enumerate(EDGES) if target == number and candidate.used[edge]]
    sums = [nodes[source].along(edge, candidate) for edge, source in edges]
    if len(sums) == 1 and number > 1 and not candidate.is_cell:
        return sums[0].clone(memory_format=torch.contiguous_format)  # as a sum would lie, by which products round
    return reduce(torch.add, sums) if sums else torch.zeros_like(x)


class _Node:
    """A node's features and, computed when first asked for, what one candidate makes of them."""

    def __init__(self, cell: MixedCell, number: int, features: Tensor, alone: bool) -> None:
        self.cell, self.number, self.features = cell, number, features
        self.alone = alone
        """Whether every operation runs by itself, as for a cell, and not beside others."""
        self.made: dict[tuple[int, Sequence[int]], Tensor] = {}

    def along(self, edge: int, candidate: Candidate) -> Tensor:
        """What `edge` carries: the weighted sum of its operations, in the supernet's own order."""
        total = None
        for op in (CONV1, CONV3, SKIP, POOL):
            if candidate.rows[edge][op] == 0:
                continue
            if op in (CONV1, CONV3):
                output = self.convolved(edge, op, candidate)
                total = output if total is None else total + output
            else:
                total = _plus(total, self.features if op == SKIP else self.pooled, candidate.weight(edge, op))
        assert total is not None
        return total

    def convolved(self, edge: int, op: int, candidate: Candidate) -> Tensor:
        """The weighted output of a convolution on `edge`."""
        edges = self.together(edge, op, candidate)
        if (op, edges) not in self.made:
            self.made[op, edges] = self.normalised(self.convolution(edges, op), edges, op, candidate)
        return self.made[op, edges].unflatten(1, (len(edges), -1))[:, edges.index(edge)]

    def together(self, edge: int, op: int, candidate: Candidate) -> tuple[int, ...]:
        """The edges whose convolution runs as one with that on `edge`: as in the supernet where it matters."""
        if self.alone:
            return (edge,)
        needed, every = self.needed(edge, op, candidate), LEAVING[self.number]
        return needed if _rounds_alike(self.fan(op), self.active, self.places(needed)) else every

    def needed(self, edge: int, op: int, candidate: Candidate) -> tuple[int, ...]:  # noqa: ARG002
        """The edges that `edge` could run with: all on which the candidate convolves so."""
        return candidate.carrying(self.number, op)

    def convolution(self, edges: tuple[int, ...], op: int) -> Tensor:
        """The outputs of the convolutions on `edges` side by side, before they are normalised."""
        fan = self.fan(op)
        weight = _of(fan, fan.convolution.weight, self.places(edges))
        return F.conv2d(self.active, weight, padding=fan.convolution.padding)

    def normalised(self, features: Tensor, edges: tuple[int, ...], op: int, candidate: Candidate) -> Tensor:
        """Those outputs as the fan's normalisation makes them in evaluation mode, weighted."""
        fan, gain = self.fan(op), candidate.gain(edges, op, self.cell.mixed)
        if fan.norm.batch_statistics:
            return F.batch_norm(features, None, None, gain, None, True, 0.1, 1e-5)
        mean, var = (
            _of(fan, statistic, self.places(edges)) for statistic in (fan.norm.running_mean, fan.norm.running_var)
        )
        return F.batch_norm(features, mean, var, gain, None, False, 0.1, 1e-5)

    @cached_property
    def active(self) -> Tensor:
        """The rectified features."""
        return F.relu(self.features)

    @cached_property
    def pooled(self) -> Tensor:
        """The averaged features, laid out as in the supernet, since by that products round."""
        if self.number != 1 or self.alone:
            return pool(self.features)
        return pool(self.features.unsqueeze(1).expand(-1, len(LEAVING[0]), -1, -1, -1).contiguous()[:, 0])

    def fan(self, op: int) -> Fan:
        """The node's convolutions of one kind."""
        fan = (self.cell.conv1 if op == CONV1 else self.cell.conv3)[self.number]
        assert isinstance(fan, Fan)
        return fan

    def places(self, edges: Sequence[int]) -> tuple[int, ...]:
        """Where a fan of this node holds `edges`."""
        return tuple(LEAVING[self.number].index(edge) for edge in edges)


class _Kept(_Node):
    """A node for several candidates: convolutions are computed once, and normalised and weighted for each of them."""

    def convolved(self, edge: int, op: int, candidate: Candidate) -> Tensor:
        """The weighted output of a convolution on `edge`."""
        edges = self.together(edge, op, candidate)
        if (op, edges) not in self.made:
            self.made[op, edges] = self.convolution(edges, op)
        outputs = self.normalised(self.made[op, edges], edges, op, candidate)
        return outputs.unflatten(1, (len(edges), -1))[:, edges.index(edge)]

    def needed(self, edge: int, op: int, candidate: Candidate) -> tuple[int, ...]:  # noqa: ARG002
        """Each edge on its own, since another candidate may need others."""
        return (edge,)


def _used(rows: Sequence[Sequence[float]]) -> list[bool]:
    """Which edges carry anything that reaches the cell's output."""
    needed, used = {3}, [False] * len(EDGES)
    for edge in reversed(range(len(EDGES))):
        target, source = EDGES[edge]
        used[edge] = target in needed and any(rows[edge])
        needed |= {source} if used[edge] else set()
    return used


def _plus(total: Tensor | None, features: Tensor, weight: Tensor | None) -> Tensor:
    """`total` and the weighted features, rounded as `MixedCell` rounds them."""
    if total is None:
        return features if weight is None else features * weight
    return total + features if weight is None else torch.addcmul(total, features, weight)


def _of(fan: Fan, tensor: Tensor, places: Sequence[int]) -> Tensor:
    """A weight or statistic of `fan` for the edges at `places` alone."""
    if places[-1] - places[0] + 1 == len(places):
        return tensor[places[0] * fan.channels : (places[-1] + 1) * fan.channels]
    parts = tensor.split(fan.channels)
    return torch.cat([parts[place] for place in places])


_ALIKE: Final[dict[tuple[object, ...], bool]] = {}


def _rounds_alike(fan: Fan, features: Tensor, places: tuple[int, ...]) -> bool:
    """Whether a fan's convolutions at `places` give on a CPU, bit for bit, what they give beside the others.

    Found out by noise, once for every shape, by which the kernels are chosen: so it was on an AMD EPYC for 32x32, 16x16
    and 8x8 features with 4 to 64 channels, and not for 4x4 ones. GPUs promise no bits, so there it is not asked.
    """
    weight = fan.convolution.weight
    if features.is_cuda or len(places) * fan.channels == len(weight):
        return True
    key = (weight.shape, places, features.shape, features.stride(), features.dtype, torch.get_num_threads())
    if key not in _ALIKE:
        drawn = torch.Generator().manual_seed(0)
        noise, filters = (torch.empty_like(one).normal_(generator=drawn) for one in (features, weight.detach()))
        wide = F.conv2d(noise, filters, padding=fan.convolution.padding).split(fan.channels, 1)
        alone = F.conv2d(noise, _of(fan, filters, places), padding=fan.convolution.padding)
        _ALIKE[key] = torch.equal(torch.cat([wide[place] for place in places], 1), alone)
    return _ALIKE[key]
