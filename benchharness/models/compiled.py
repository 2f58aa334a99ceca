"""Mixed cells compiled by torch.compile, for the training steps of a search; evaluations stay as they are.

What is compiled computes what `MixedCell.forward` computes, in another order and therefore with other last bits. It is
spelt for the compiler: activations with channels last all the way (five-dimensional stacks made it transpose every
gradient twice) and pooling by products with band matrices (the generated backward pass of `avg_pool2d` divides by
window sizes entry by entry). A cell of C=16 on 64x32x32 took 0.12 s forward and backward, 0.22 s uncompiled and 0.17 s
with the five-dimensional stacks (one thread of a busy AMD EPYC, torch 2.13, n=8).
"""

import os
import shutil
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from benchharness.errors import UserError
from benchharness.models.supernet import LEAVING, MixedCell, Supernet, band, leaving
from benchharness.space import CONV1, CONV3, EDGES, POOL, SKIP

CHOICES: Final = ("auto", "on", "off")
WORTH_SECONDS: Final = 1800.0
"""Estimated seconds of a search from which `auto` compiles: the compiler takes minutes of them at most."""
_SECONDS_AN_IMAGE: Final = 0.031 / 80
"""Of one forward and backward pass per image, channel and cell a stage, at 32x32 on one thread; a rough figure."""
_GRAPHS: Final = 64
"""Shapes, with and without gradients to the edge weights, in training with and without statistics recorded."""


def check(choice: str) -> None:
    """Raise `UserError` where `choice`, one of `CHOICES`, asks for what cannot be compiled here."""
    if choice == "on" and not compiler():
        raise UserError("compile=on needs a C++ compiler, and there is none; install g++, or set CXX to one")


def decided(choice: str, protocol: Mapping[str, Any], device: str) -> bool:
    """Whether a search by `protocol` is compiled: as `choice` says, and by `auto` on a CPU where it is long enough."""
    if choice != "auto":
        return choice == "on"
    images = protocol["images"] or 50_000
    seconds = protocol["epochs"] * images * protocol["cells"] * protocol["channels"] * _SECONDS_AN_IMAGE
    return device == "cpu" and seconds >= WORTH_SECONDS and bool(compiler())


def compiler() -> str | None:
    """The C++ compiler that torch would take; None where there is none."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))), None)


def seconds() -> float:
    """Seconds that this process has spent compiling so far."""
    from torch._dynamo.utils import calculate_time_spent  # loaded with the compiler, which takes a second or two

    return calculate_time_spent()["total_wall_time"]


class Compiled:
    """Runs mixed cells compiled for batches of one size, and those of any other size as they are."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def __call__(self, cell: MixedCell, x: Tensor, weights: Tensor) -> Tensor:
        """What `cell` gives for features `x`, channels last, and edge `weights`."""
        if len(x) != self.batch:
            return cell(x, weights)
        return _compiled()(cell, x, weights, band(x.shape[2], x.dtype, x.device), band(x.shape[3], x.dtype, x.device))


def spelt_out(cell: MixedCell, x: Tensor, weights: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """`MixedCell.forward` as it compiles best; `rows` and `columns` are the bands that average over neighbours."""
    nodes: list[Tensor] = [x]
    arriving: dict[int, list[Tensor]] = {1: [], 2: [], 3: []}
    gains = weights.sum(-1) if cell.weighs_bypass else None
    for source in range(3):
        node = nodes[source][:, : cell.mixed]
        own = leaving(source, weights)
        active, pooled = F.relu(node), _pooled(node, rows, columns)
        sent = cell.conv1[source](active, own[:, CONV1]) + cell.conv3[source](active, own[:, CONV3])
        for place, (edge, part) in enumerate(zip(LEAVING[source], sent.split(cell.mixed, 1), strict=True)):
            arriving[EDGES[edge][0]].append(part + own[place, SKIP] * node + own[place, POOL] * pooled)
        nodes.append(cell.joined(reduce(torch.add, arriving[source + 1]), nodes, gains))
    return nodes[3]


def _pooled(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    lines = x.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
    points = (rows @ lines).reshape(batch * height, width, channels)
    return (columns @ points).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


@cache
def _compiled() -> Callable[..., Tensor]:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _GRAPHS)
    # A pool of compiling processes outlives a search that is killed, and gains little on the two cores of a laptop.
    torch._inductor.config.compile_threads = 1
    return torch.compile(spelt_out, dynamic=False)


def attach(net: Supernet, batch: int) -> None:
    """Have the training steps of `net` run its cells compiled, for batches of `batch` images."""
    net.in_training = Compiled(batch)
