"""Tables that need no data, and one suite with its report, built once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchharness import report, space
from benchharness.table import DATASETS, Metric, Table
from tests.support import report_folder

WORTH = np.array([0.0, 1.0, 5.0, 9.0, 2.0])


@pytest.fixture(scope="session")
def table() -> Table:
    """All cells, each edge adding the worth of its operation: truth is known in closed form."""
    rng = np.random.default_rng(0)
    ops = space.all_ops()[space.order()]
    test = 30 + (WORTH[ops] * (1 + 0.01 * np.arange(6))).sum(-1)
    means = {}
    for index, dataset in enumerate(DATASETS):
        means[Metric(dataset, "test", 200)] = test - 10 * index
        means[Metric(dataset, "valid", 200)] = test - 10 * index - 1
        means[Metric(dataset, "valid", 12)] = (test - 10 * index + rng.normal(0, 2, space.SIZE)).clip(5, 90)
    about = {"name": "toy", "version": "1", "source": "tests", "seed_rule": "one seed", "sha256": "cd" * 32}
    times = {("cifar10", 200): np.full(space.SIZE, 1800.0)}
    return Table(about, ops, means, {}, times)


@pytest.fixture(scope="session")
def sample(table: Table) -> Table:
    """Every tenth row of `table`, without what it has for other data sets."""
    means = {metric: column[::10] for metric, column in table.means.items() if metric.dataset == "cifar10"}
    return replace(table, ops=table.ops[::10], means=means, times={})


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report_folder.suite(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture(scope="session")
def evidence(suite: Path, table: Table) -> report.Evidence:
    return report.gather(suite, table)[1][0]


@pytest.fixture(scope="session")
def report_path(suite: Path, table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report on `suite`."""
    return report.build(suite, tmp_path_factory.mktemp("reports") / "demo", table).parent
