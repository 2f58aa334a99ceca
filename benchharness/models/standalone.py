"""The stand-alone network of one architecture, as the benchmark trains it to measure its ground truth.

Dong & Yang (ICLR 2020): the skeleton of `supernet` with plain cells. Batch normalisation has affine weights here, and
operations have weights whether or not their output is used, so the network has 73,306 + 28,000 n1x1 + 243,040 n3x3
parameters at C=16, N=5, ten classes (n1x1, n3x3: number of edges with that convolution).
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.models.layers import Norm, Skeleton
from benchharness.space import CONV1, CONV3, EDGES, NONE, POOL, SKIP, Arch, live_edges

Node = Tensor | None
"""Features of a node; None stands for zeros, if no edge carries features into it."""


class Bundle(nn.Module):
    """The convolutions of one kind on edges that leave one node, as one wider ReLU, convolution and normalisation."""

    def __init__(self, channels: int, op: int, edges: list[int]) -> None:
        super().__init__()
        self.edges, self.channels, kernel = edges, channels, 3 if op == CONV3 else 1
        self.convolution = nn.Conv2d(channels, len(edges) * channels, kernel, padding=kernel // 2, bias=False)
        self.norm = Norm(len(edges) * channels)

    def forward(self, active: Tensor) -> tuple[Tensor, ...]:
        """Each edge's output, from the node's features after ReLU."""
        return self.norm(self.convolution(active)).split(self.channels, 1)

    def silent(self, like: Tensor) -> tuple[Tensor, ...]:
        """Each edge's output from a node of zeros: its normalisation's bias."""
        batch, _, height, width = like.shape
        bias = self.norm.bias
        assert bias is not None
        return bias.view(1, -1, 1, 1).expand(batch, -1, height, width).split(self.channels, 1)


class Cell(nn.Module):
    """The cell of one architecture; operations whose output is unused have weights but are not computed."""

    def __init__(self, channels: int, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.used = _used(arch)
        self.bundles = nn.ModuleList(
            Bundle(channels, op, edges)
            for source in range(3)
            for op in (CONV1, CONV3)
            for edges in _alike(arch, source, op, self.used)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features of the output node, same shape as `x` (batch, channels, height, width)."""
        inputs: dict[int, list[Tensor]] = {1: [], 2: [], 3: []}
        for source in range(3):
            if source in self.used:
                self._send(source, x if source == 0 else _sum(inputs[source]), x, inputs)
        total = _sum(inputs[3])
        return torch.zeros_like(x) if total is None else total

    def _send(self, source: int, node: Node, like: Tensor, inputs: dict[int, list[Tensor]]) -> None:
        """Append to `inputs` what node `source` sends along its edges that lead to the output."""
        bundles = list(self._leaving(source))
        active = F.relu(node) if bundles and node is not None else None
        for bundle in bundles:
            outputs = bundle.silent(like) if active is None else bundle(active)
            for edge, output in zip(bundle.edges, outputs, strict=True):
                inputs[EDGES[edge][0]].append(output)
        if node is None:
            return
        pooled = None
        for edge, (target, start) in enumerate(EDGES):
            if start != source or target not in self.used:
                continue
            if self.arch[edge] == SKIP:
                inputs[target].append(node)
            elif self.arch[edge] == POOL:
                pooled = F.avg_pool2d(node, 3, 1, 1, count_include_pad=False) if pooled is None else pooled
                inputs[target].append(pooled)

    def _leaving(self, source: int) -> Iterator[Bundle]:
        for bundle in self.bundles:
            assert isinstance(bundle, Bundle)
            target, start = EDGES[bundle.edges[0]]
            if start == source and target in self.used:
                yield bundle


class Network(Skeleton):
    """The stand-alone network of `arch`, with `cells` cells per stage and `channels` channels in the first stage."""

    def __init__(self, arch: Arch, classes: int = 10, channels: int = 16, cells: int = 5) -> None:
        super().__init__(lambda width: Cell(width, arch), classes, channels, cells)
        self.arch = arch

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Logits of normalised `images`."""
        return self.through(images, lambda cell, x: cell(x))

    @property
    def parameter_count(self) -> int:
        """Number of parameters, those of unused operations included."""
        return sum(weight.numel() for weight in self.parameters())


def _used(arch: Arch) -> set[int]:
    """The nodes from which a path without `none` leads to the output node."""
    live = live_edges([op != NONE for op in arch])
    return {3, *(source for is_live, (_, source) in zip(live, EDGES, strict=True) if is_live)}


def _alike(arch: Arch, source: int, op: int, used: set[int]) -> Iterator[list[int]]:
    """The edges leaving `source` with operation `op`: first those that lead to the output, then the others."""
    edges = [edge for edge, (_, start) in enumerate(EDGES) if start == source and arch[edge] == op]
    leading = [edge for edge in edges if EDGES[edge][0] in used]
    yield from filter(None, (leading, [edge for edge in edges if edge not in leading]))


def _sum(tensors: list[Tensor]) -> Node:
    if not tensors:
        return None
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
