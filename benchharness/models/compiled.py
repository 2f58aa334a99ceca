"""Mixed cells compiled by torch.compile, for the training steps of a search; evaluations stay as they are.

What is compiled is `MixedCell.trained`, in another order and therefore with other last bits. That suits the compiler:
channels are last all the way (five-dimensional stacks made it transpose every gradient twice) and the backward pass of
pooling is spelt out (the one generated for `avg_pool2d` divides by window sizes entry by entry).
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor

from benchharness.errors import UserError
from benchharness.models.supernet import MixedCell, NodeWeights, Supernet

CHOICES: Final = ("auto", "on", "off")
WORTH_SECONDS: Final = 1800.0
"""Estimated seconds of a search from which `auto` compiles: the compiler takes minutes of them at most."""
_SECONDS_AN_IMAGE: Final = 0.031 / 80
"""Of one forward and backward pass per image, channel and cell a stage, at 32x32 on one thread; a rough figure."""
_GRAPHS: Final = 64
"""Shapes, with and without gradients to the edge weights, in training with and without statistics recorded."""


def check_choice(choice: str) -> None:
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
    """Seconds that this process has spent on compilation so far."""
    from torch._dynamo.utils import calculate_time_spent  # loaded with the compiler, which takes a second or two

    return calculate_time_spent()["total_wall_time"]


class Compiled:
    """Runs mixed cells compiled for batches of one size, and those of any other size as they are."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def __call__(self, cell: MixedCell, x: Tensor, weights: Sequence[NodeWeights]) -> Tensor:
        """What `cell` gives in training for features `x`, channels last, and edge `weights`."""
        return (_compiled() if len(x) == self.batch else MixedCell.trained)(cell, x, weights)


@cache
def _compiled() -> Callable[..., Tensor]:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _GRAPHS)
    return torch.compile(MixedCell.trained, dynamic=False)


def attach(net: Supernet, batch: int) -> None:
    """Have the training steps of `net` run its cells compiled, for batches of `batch` images."""
    if next(net.parameters()).device.type == "cpu":
        # A pool of compiling processes outlives a search that is killed, and gains little on the two cores of a laptop.
        torch._inductor.config.compile_threads = 1
    net.in_training = Compiled(batch)
