"""The arithmetic that a supernet computes in, an option of every protocol: float32, tf32 or bf16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from benchharness.errors import UserError

_BACKENDS: Final[tuple[Any, ...]] = (torch.backends.cudnn, torch.backends.cuda.matmul)


def check_numerics(numerics: str, device: str) -> None:
    """Raise `UserError` if `device`, such as `cpu` or `cuda:1`, does not support these `numerics`."""
    if numerics == "tf32" and not device.startswith("cuda"):
        raise UserError(f"numerics='tf32' is of CUDA devices and this one is {device!r}; take float32 or bf16")


@contextmanager
def arithmetic(numerics: str, device: torch.device) -> Iterator[None]:
    """Compute in `numerics` on `device` for a block.

    `float32` is that of IEEE on every device; torch by itself lets convolutions on CUDA fall to TF32. `tf32` rounds
    what CUDA's products and convolutions multiply to 10 bits of mantissa. `bf16` is torch's autocast to bfloat16:
    products and convolutions in 8 bits, weights, statistics, losses and alphas in float32.
    """
    before = [backend.allow_tf32 for backend in _BACKENDS]
    try:
        for backend in _BACKENDS:
            backend.allow_tf32 = numerics == "tf32"
        # Without the cache: it would keep the weights that the first step of the block began with.
        with torch.autocast(device.type, torch.bfloat16, enabled=numerics == "bf16", cache_enabled=False):
            yield
    finally:
        for backend, allowed in zip(_BACKENDS, before, strict=True):
            backend.allow_tf32 = allowed
