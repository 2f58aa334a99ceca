"""Fixtures shared by all tests: where real data is, and a home of one's own for what is cached or installed."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("benchharness", deadline=None)  # a busy machine must not fail a test
hypothesis.settings.load_profile("benchharness")
REAL_DATA = os.environ.get("BENCHHARNESS_DATA")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data that BENCHHARNESS_DATA names; skips the test where there is none."""
    if not REAL_DATA or not Path(REAL_DATA).is_dir():
        pytest.skip("BENCHHARNESS_DATA names no folder of real data")
    return Path(REAL_DATA)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home: no data folder, no cache, no configuration."""
    monkeypatch.delenv("BENCHHARNESS_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors only lose by more threads, most of all where several test processes share two cores."""
    import torch

    torch.set_num_threads(1)
