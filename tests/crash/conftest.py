"""A home with random images, and the undisturbed run that others are held against."""

from pathlib import Path

import pytest

from tests.support.tiny import install_images


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install_images(own_home / "data")
    for name, value in {"BENCHHARNESS_DATA": str(own_home / "data"), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    return own_home
