"""Seeds hashed from names, so that no stream of random numbers depends on the draws of another."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_for(*names: str | int) -> int:
    """A 63-bit seed that depends only on `names`, such as `seed_for("supernet", "cifar10", 7)`."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*names: str | int) -> torch.Generator:
    """A CPU generator seeded from `names`."""
    return torch.Generator().manual_seed(seed_for(*names))


@contextmanager
def seeded(*names: str | int) -> Iterator[None]:
    """Within a `with` block, seed the global generators of Python, NumPy and torch from `names`; then restore them.

    Among GPUs only the current one is seeded, and only if this process uses it: access to others would open a context
    on each.
    """
    before = random.getstate(), np.random.get_state()
    seed = seed_for(*names)
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=gpus):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
