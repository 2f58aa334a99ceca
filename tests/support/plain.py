"""The NAS-Bench-201 supernet in its plain formulation: one module per operation, edge and cell, nothing shared.

It is the reference that the shared-work supernet has to agree with, so it is written to be checked by eye.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.models.supernet import Supernet
from benchharness.space import EDGES, NONE, OPS, POOL, SKIP, from_code

KERNEL = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class ReluConvBn(nn.Sequential):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels, affine=False),
        )


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


def operation(name: str, channels: int) -> nn.Module:
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return ReluConvBn(channels, KERNEL[name])


class MixedEdge(nn.Module):
    def __init__(self, channels: int, partial: int, weighs_bypass: bool = False) -> None:
        super().__init__()
        self.partial, self.weighs_bypass = partial, weighs_bypass
        self.mixed = channels // partial
        self.ops = nn.ModuleList(operation(name, self.mixed) for name in OPS)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        through, bypass = x[:, : self.mixed], x[:, self.mixed :]
        total = sum(weight * op(through) for weight, op in zip(weights, self.ops, strict=True))
        outputs = torch.cat([total, bypass * weights.sum() if self.weighs_bypass else bypass], dim=1)
        batch, channels, height, width = outputs.shape
        interleaved = outputs.reshape(batch, self.partial, channels // self.partial, height, width).transpose(1, 2)
        return interleaved.reshape(batch, channels, height, width)


class PlainCell(nn.Module):
    def __init__(self, channels: int, partial: int, weighs_bypass: bool = False) -> None:
        super().__init__()
        self.edges = nn.ModuleList(MixedEdge(channels, partial, weighs_bypass) for _ in EDGES)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            inputs = [
                edge(nodes[source], weights[e])
                for e, (edge, (node, source)) in enumerate(zip(self.edges, EDGES, strict=True))
                if node == target
            ]
            nodes.append(sum(inputs))
        return nodes[3]


class PlainResidual(nn.Module):
    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, wider, 3, 2, 1, bias=False), nn.BatchNorm2d(wider))
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(wider, wider, 3, 1, 1, bias=False), nn.BatchNorm2d(wider))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, wider, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.shortcut(x)


class PlainSupernet(nn.Module):
    def __init__(self, classes: int, channels: int, cells: int, partial: int = 1, weighs_bypass: bool = False) -> None:
        super().__init__()
        widths = (channels, 2 * channels, 4 * channels)
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.stages = nn.ModuleList(
            nn.ModuleList(PlainCell(width, partial, weighs_bypass) for _ in range(cells)) for width in widths
        )
        self.blocks = nn.ModuleList([PlainResidual(widths[0], widths[1]), PlainResidual(widths[1], widths[2])])
        self.last = nn.Sequential(nn.BatchNorm2d(widths[2]), nn.ReLU())
        self.classifier = nn.Linear(widths[2], classes)

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        x = self.stem(images)
        for number, stage in enumerate(self.stages):
            for cell in stage:
                x = cell(x, weights)
            if number < 2:
                x = self.blocks[number](x)
        return self.classifier(self.last(x).mean(dim=(2, 3)))


def pairs(net: Supernet, reference: PlainSupernet) -> list[tuple[Tensor, Tensor]]:
    """Every weight and statistic of the shared-work net beside the plain net's own tensor for it."""
    parameters = []
    ours = [cell for stage in net.stages for cell in stage]
    theirs = [cell for stage in reference.stages for cell in stage]
    for cell, twin in zip(ours, theirs, strict=True):
        for edge in range(len(EDGES)):
            for op in range(len(OPS)):
                if op in (NONE, SKIP, POOL):
                    continue
                layer = cell.operation(edge, op)
                _, convolution, norm = twin.edges[edge].ops[op]
                parameters += [(layer["weight"], convolution.weight)]
                parameters += [(layer["mean"], norm.running_mean), (layer["var"], norm.running_var)]
    parameters += [(net.stem.weight, reference.stem[0].weight), *_norms(net.stem_norm, reference.stem[1])]
    for block, twin in zip(net.blocks, reference.blocks, strict=True):
        parameters += [(block.first.weight, twin.first[1].weight), *_norms(block.first_norm, twin.first[2])]
        parameters += [(block.second.weight, twin.second[1].weight), *_norms(block.second_norm, twin.second[2])]
        parameters += [(block.shortcut.weight, twin.shortcut[1].weight)]
    parameters += _norms(net.last_norm, reference.last[0])
    parameters += [
        (net.classifier.weight, reference.classifier.weight),
        (net.classifier.bias, reference.classifier.bias),
    ]
    return parameters


def _norms(ours: nn.Module, theirs: nn.Module) -> list[tuple[Tensor, Tensor]]:
    return [(getattr(ours, name), getattr(theirs, name)) for name in ("weight", "bias", "running_mean", "running_var")]


def twins(
    classes: int = 10, channels: int = 4, cells: int = 2, partial: int = 1, weighs_bypass: bool = False
) -> tuple[Supernet, PlainSupernet]:
    """A shared-work supernet and its plain twin with the same float64 weights and non-trivial statistics."""
    torch.manual_seed(0)
    net = Supernet(classes, channels, cells, partial, weighs_bypass).double()
    reference = PlainSupernet(classes, channels, cells, partial, weighs_bypass).double()
    with torch.no_grad():
        for ours, theirs in pairs(net, reference):
            if not isinstance(theirs, nn.Parameter):
                theirs.copy_(torch.rand_like(theirs) + 0.5)
            ours.data.copy_(theirs)
    return net, reference


def one_hot(code: int) -> Tensor:
    """The edge weights of one architecture."""
    return F.one_hot(torch.tensor(from_code(code)), len(OPS)).double()


def weights_of(kind: str) -> Tensor:
    """Edge weights of a kind: softmax, unnormalised, one zero or one-hot."""
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand(len(EDGES), len(OPS), generator=generator, dtype=torch.float64)
    if kind == "softmax":
        return weights.softmax(-1)
    if kind == "unnormalised":
        return 3 * weights - 1
    if kind == "one zero":
        return weights.index_fill(1, torch.tensor([3]), 0.0)
    return one_hot(7284)


class PlainInSearch(PlainSupernet):
    """The plain formulation where a search wants a supernet."""

    partial, weighs_bypass, in_training = 1, False, None

    @contextmanager
    def holding_weights(self) -> Iterator[None]:
        yield


def softplus(x: Tensor, inplace: bool = False) -> Tensor:
    """In the place of `F.relu`: without kinks, at which rounding turns into whole other slopes."""
    return F.softplus(x)
