"""Where searches in float32 leave those in float64: only where rounding flips a ReLU."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from torch.nn import functional as F

from tests.support.plain import softplus


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("rounding")


def test_without_kinks_a_search_in_float32_is_that_of_float64(
    rounding: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(F, "relu", softplus)
    for figures in dict(rounding.figures_by_way(3, [], {1, 2, 3})).values():
        assert figures["alpha"] < 1e-4
        assert figures["slope"] < 1e-4
