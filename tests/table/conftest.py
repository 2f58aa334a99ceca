"""A complete table of made-up figures, and the real one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchharness import space
from benchharness.table import Table, load_table
from benchharness.table.build import build_table
from tests.support.measured import TEST, VALID


def _make(rows: int = space.SIZE, name: str = "made-up", seed: int = 0) -> Table:
    """`rows` architectures drawn at random, with random figures and one to three runs of one of them."""
    draw = np.random.default_rng(seed)
    ops = draw.permutation(space.all_ops())[:rows]
    runs = draw.uniform(10, 95, (rows, 3))
    runs[draw.random(rows) < 0.5, 2] = np.nan
    means = {VALID: draw.uniform(10, 92, rows), TEST: np.nanmean(runs, axis=1)}
    about = {"name": name, "version": "0", "source": "a test"}
    return build_table(about, ops, means, {TEST: runs}, {("cifar10", 200): draw.uniform(500, 4000, rows)})


@pytest.fixture(scope="session")
def make_table() -> Callable[..., Table]:
    """Tables of any size and name."""
    return _make


@pytest.fixture(scope="session")
def toy_table() -> Table:
    return _make()


@pytest.fixture(scope="session")
def sample() -> Table:
    """Forty architectures only."""
    return _make(40)


@pytest.fixture(scope="session")
def real_table(data_folder: Path) -> Table:
    return load_table()
