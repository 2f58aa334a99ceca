"""Layers shared by the supernet and stand-alone networks: norms, joint convolutions, pooling, and the skeleton."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

MOMENTUM: Final = 0.1
"""The share that a batch has in new running statistics."""
EPS: Final = 1e-5
"""What is added to variances that features are divided by."""


class Norm(nn.Module):
    """Batch normalisation that takes its gain per call and can use batch statistics without recording them."""

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
        """`x` normalised with the statistics of the module's `channels`, without affine weights."""
        return self._normalised(x, channels, None)

    def _normalised(self, x: Tensor, channels: slice, gain: Tensor | None) -> Tensor:
        mean, var = self.running_mean[channels], self.running_var[channels]
        if self.batch_statistics and not self.training:
            return F.batch_norm(x, None, None, gain, self.bias, True, MOMENTUM, EPS)
        return F.batch_norm(x, mean, var, gain, self.bias, self.training, MOMENTUM, EPS)


class Fan(nn.Module):
    """The convolutions of one kind on all edges that leave one node, as one wider convolution and normalisation."""

    def __init__(self, channels: int, edges: int, kernel: int) -> None:
        super().__init__()
        self.channels = channels
        self.convolution = nn.Conv2d(channels, edges * channels, kernel, padding=kernel // 2, bias=False)
        self.norm = Norm(edges * channels, affine=False)

    def forward(self, active: Tensor, gains: Float[Tensor, " edges"]) -> Tensor:
        """The edges' weighted outputs, concatenated along channels, from the node's features after ReLU."""
        return self.norm(self.convolution(active), gains.repeat_interleave(self.channels))

    def repeated(self, tensor: Tensor, times: int) -> Tensor:
        """A weight, statistic or momentum of this fan for one `times` as wide: every channel is repeated."""
        rest = [1] * (tensor.dim() - 1)
        wide = tensor.unflatten(0, (-1, self.channels)).repeat(1, times, *rest).flatten(0, 1)
        return wide if tensor.dim() == 1 else wide.repeat(1, times, 1, 1)

    def one(self, active: Tensor, place: int) -> Tensor:
        """The output of one edge; `place` is its position among the fan's edges."""
        channels_of_edge = slice(place * self.channels, (place + 1) * self.channels)
        features = F.conv2d(
            active, self.convolution.weight[channels_of_edge], padding=self.convolution.kernel_size[0] // 2
        )
        return self.norm.part(features, channels_of_edge)


def shares(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "height width"]:
    """1 / (number of entries of the 3x3 window) at each position; windows at the borders have fewer entries."""
    rows, columns = (torch.ones(n, n, dtype=dtype, device=device).tril(1).triu(-1).sum(1) for n in (height, width))
    return 1 / (rows.unsqueeze(1) * columns)


_SHARES: Final = lru_cache(maxsize=16)(shares)


class Taps(torch.autograd.Function):
    """`pool` as sums of shifted features, with a derivative written by hand.

    Forward and backward took 1.1 ms where `avg_pool2d` took 4.4 (64x8x32x32, channels last, float32, one thread of an
    AMD EPYC, torch 2.13).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Float[Tensor, "height width"], transposed: bool) -> Tensor:
        """The mean of each 3x3 window of `x`: the window's sum times `share`; `transposed`: the sum of `x * share`."""
        ctx.save_for_backward(share)
        ctx.transposed = transposed
        sums = _window(x * share) if transposed else _window(x.to(share.dtype)).mul_(share)
        return sums.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of `x`: as windows are symmetric, the same sums with `share` at their other end."""
        (share,) = ctx.saved_tensors
        return Taps.apply(slope, share, not ctx.transposed), None, None  # type: ignore[no-untyped-call]


def _window(x: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """The sum of the 3x3 window around each entry."""
    for dim in (-2, -1):
        total, reach = x.clone(), x.shape[dim] - 1
        total.narrow(dim, 1, reach).add_(x.narrow(dim, 0, reach))
        total.narrow(dim, 0, reach).add_(x.narrow(dim, 1, reach))
        x = total
    return x


def pool(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """The space's 3x3 average pooling: stride 1, padding not counted, so border windows average fewer entries."""
    compiling = torch.compiler.is_compiling()
    if x.is_cuda and not compiling:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    height, width = x.shape[-2:]
    dtype = torch.promote_types(x.dtype, torch.float32)  # sums of nine in bfloat16 would lose half its bits
    share = (shares if compiling else _SHARES)(height, width, dtype, x.device)  # the compiler warns of caches
    pooled: Tensor = Taps.apply(x, share, False)  # type: ignore[no-untyped-call]
    return pooled


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
        """Features at half the resolution with `wider` channels."""
        inner = self.first_norm(self.first(F.relu(x)))
        return self.second_norm(self.second(F.relu(inner))) + self.shortcut(F.avg_pool2d(x, 2))


class Skeleton(nn.Module):
    """The network around the cells (stem, residual blocks, classifier); `cell(channels)` builds each cell."""

    def __init__(
        self, cell: Callable[[int], nn.Module], classes: int, channels: int, cells: int, last_affine: bool = True
    ) -> None:
        super().__init__()
        widths = [channels, 2 * channels, 4 * channels]
        self.stem = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.stem_norm = Norm(channels)
        self.stages = nn.ModuleList(nn.ModuleList(cell(width) for _ in range(cells)) for width in widths)
        self.blocks = nn.ModuleList(ResidualBlock(*pair) for pair in pairwise(widths))
        self.last_norm = Norm(widths[-1], last_affine)
        self.classifier = nn.Linear(widths[-1], classes)

    def through(self, images: Tensor, run_cell: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        """Logits (batch, classes) of normalised `images` (batch, 3, height, width), each cell applied by `run_cell`."""
        return self.onward(self.begin(images), run_cell)

    def begin(self, images: Tensor) -> Tensor:
        """The stem's features of `images`, which are the first cell's input."""
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
    def evaluating(self, bn: str = "running") -> Iterator[None]:
        """Evaluation mode within a `with` block; `bn` chooses the statistics of batch normalisation.

        `running`: the running statistics. `batch`: the batch's own statistics everywhere, not recorded. `cells`: the
        batch's own in the cells and before the classifier only, as in NATS-Bench's code.
        """
        training = self.training
        self._set(False, bn)
        try:
            yield
        finally:
            self._set(training, "running")

    def _set(self, training: bool, bn: str) -> None:
        self.train(training)
        choices: dict[str, list[nn.Module]] = {"running": [], "batch": [self], "cells": [self.stages, self.last_norm]}
        modules = choices[bn]
        own_modules = {module for part in modules for module in part.modules()}
        for module in self.modules():
            if isinstance(module, Norm):
                module.batch_statistics = module in own_modules
