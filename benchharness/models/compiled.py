"""Compiles the mixed cells with torch.compile for the training steps of a search; evaluations are not compiled.

Two choices make `MixedCell.forward` fast under the compiler: the memory layout is channels-last throughout, and the
backward pass of pooling is written by hand (the generated one for `avg_pool2d` divides by the window size entry by
entry).
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor

from benchharness.errors import UserError
from benchharness.models.supernet import Forward, MixedCell, NodeWeights, Supernet

CHOICES: Final = ("auto", "on", "off")
WORTH_SECONDS: Final = 1800.0
"""`auto` compiles searches estimated to take at least this many seconds; compiling takes a few minutes at most."""
_SECONDS_AN_IMAGE: Final = 0.031 / 80
"""Seconds of one forward and backward pass, divided by images, channels and cells per stage (32x32 pixels, one thread).

A rough figure, used only to decide whether `auto` compiles."""
_GRAPHS: Final = 64
"""Most versions of a cell that torch may compile: one for each shape, with and without gradients to the edge weights,
with and without recorded statistics."""


def check_choice(choice: str) -> None:
    """Raise `UserError` if `choice` is not one of `CHOICES`, or is `on` where no C++ compiler is installed."""
    if choice == "on" and not compiler():
        raise UserError("compile=on needs a C++ compiler, and none was found; install g++, or set CXX to one")


def decided(choice: str, protocol: Mapping[str, Any], device: str) -> bool:
    """Whether a search by `protocol` is compiled; `auto` compiles on a CPU if the search takes `WORTH_SECONDS`."""
    if choice != "auto":
        return choice == "on"
    images = protocol["images"] or 50_000
    seconds = protocol["epochs"] * images * protocol["cells"] * protocol["channels"] * _SECONDS_AN_IMAGE
    return device == "cpu" and seconds >= WORTH_SECONDS and bool(compiler())


def compiler() -> str | None:
    """Path of the C++ compiler that torch would use; None if none is installed."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))), None)


def seconds() -> float:
    """Seconds that this process has spent on compilation so far."""
    from torch._dynamo.utils import calculate_time_spent  # loaded with the compiler, which takes a second or two

    return calculate_time_spent()["total_wall_time"]


class Compiled:
    """Runs mixed cells compiled on batches of one size, and by `forward` uncompiled on batches of another size."""

    def __init__(self, batch: int, forward: Forward = MixedCell.forward) -> None:
        self.batch, self.cell_forward = batch, forward

    def __call__(self, cell: MixedCell, x: Tensor, weights: Sequence[NodeWeights]) -> Tensor:
        """The features of the output node of `cell` in training, for channels-last features `x`."""
        return (_compiled(self.cell_forward) if len(x) == self.batch else self.cell_forward)(cell, x, weights)


@cache
def _compiled(forward: Forward) -> Callable[..., Tensor]:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _GRAPHS)
    return torch.compile(forward, dynamic=False)


def attach(net: Supernet, batch: int, forward: Forward = MixedCell.forward) -> None:
    """Make the training steps of `net` compute its cells by `forward`, compiled on batches of `batch` images."""
    if next(net.parameters()).device.type == "cpu":
        # A pool of compiler processes would survive a killed search, and gains little on a laptop's two cores.
        torch._inductor.config.compile_threads = 1
    net.in_training = Compiled(batch, forward)
