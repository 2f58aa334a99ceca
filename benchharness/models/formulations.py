"""The formulations of a mixed cell's training step: the same function in other last bits, as fast as the device has it.

`shared` is `MixedCell.forward`. `padded` and `fused` are for GPUs and were measured on none yet.
"""

import os
from importlib.util import find_spec
from typing import Final

from benchharness.errors import SpeedupError, UserError
from benchharness.models import compiled, padded
from benchharness.models.supernet import MixedCell, Supernet

CHOICES: Final = ("shared", "padded", "fused")


class NotFused(SpeedupError):  # noqa: N818
    """Triton could not compile or start a kernel."""

    option, note = "--formulation fused", "not_fused"


def check_choice(choice: str, device: str) -> None:
    """Raise `UserError` where cells on `device`, such as `cpu` or `cuda:1`, cannot be computed by `choice`."""
    if choice == "fused" and not _runs_kernels(device):
        raise UserError(f"--formulation fused runs on CUDA, and device {device!r} is none of CUDA's; leave it out")
    if not usable(choice, device):
        raise UserError("--formulation fused needs triton, which is not installed; pip install triton, or leave it out")


def usable(choice: str, device: str) -> bool:
    """Whether cells on `device` can be computed by `choice`."""
    return choice != "fused" or (_runs_kernels(device) and find_spec("triton") is not None)


def _runs_kernels(device: str) -> bool:
    """Whether Triton's kernels run on `device`; by its interpreter, which is for tests, on any."""
    return device.startswith("cuda") or os.environ.get("TRITON_INTERPRET") == "1"


def attach(net: Supernet, choice: str, batch: int = 0) -> None:
    """Have the training steps of `net` compute its cells by `choice`, compiled for batches of `batch` images if any."""
    if choice == "fused":
        from benchharness.models import fused  # which needs triton

        net.in_training = fused.forward
        return
    cell_forward = padded.forward if choice == "padded" else MixedCell.forward
    if batch:
        compiled.attach(net, batch, cell_forward)
    elif choice == "padded":
        net.in_training = cell_forward
