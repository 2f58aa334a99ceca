"""The suite and the table that these tests share, and figures that end with each test."""

from collections.abc import Iterator

import pytest
from matplotlib import pyplot as plt

from tests.support.report_fixtures import evidence, sample, suite, table  # noqa: F401


@pytest.fixture(autouse=True)
def _no_figures() -> Iterator[None]:
    plt.switch_backend("agg")
    plt.close("all")
    yield
    plt.close("all")
