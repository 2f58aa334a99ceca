"""The number format in which a supernet computes, a setting of every protocol: float32, tf32 or bf16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from benchharness.errors import UserError

_BACKENDS: Final[tuple[Any, ...]] = (torch.backends.cudnn, torch.backends.cuda.matmul)


def check_numerics(numerics: str, device: str) -> None:
    """Raise `UserError` if `device`, such as `cpu` or `cuda:1`, does not support these `numerics`."""
    if numerics == "tf32" and not device.startswith("cuda"):
        raise UserError(f"numerics='tf32' needs a CUDA device, and this run uses {device!r}; take float32 or bf16")


@contextmanager
def arithmetic(numerics: str, device: torch.device) -> Iterator[None]:
    """Compute in `numerics` on `device` within a `with` block.

    `float32` is IEEE single precision on every device; torch's default would let CUDA convolutions use TF32. `tf32`
    rounds the factors of CUDA's matrix products and convolutions to 10 bits of mantissa. `bf16` is torch's autocast to
    bfloat16: products and convolutions with 8 bits of mantissa; weights, statistics, losses and alphas in float32.
    """
    before = [backend.allow_tf32 for backend in _BACKENDS]
    try:
        for backend in _BACKENDS:
            backend.allow_tf32 = numerics == "tf32"
        # No cache: it would keep the cast weights of the block's first step after the optimiser has changed them.
        with torch.autocast(device.type, torch.bfloat16, enabled=numerics == "bf16", cache_enabled=False):
            yield
    finally:
        for backend, allowed in zip(_BACKENDS, before, strict=True):
            backend.allow_tf32 = allowed
