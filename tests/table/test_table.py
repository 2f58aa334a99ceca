"""The table over real figures: what papers print comes out, and what is not held is refused."""

from pathlib import Path

import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.table import Table, load_table


@pytest.fixture(scope="module")
def table(data_folder: Path) -> Table:
    return load_table()


def test_optima_and_the_all_skip_cell_are_those_of_the_papers(table: Table) -> None:
    assert table.optimum("cifar10", "valid") == (6111, pytest.approx(91.6067, abs=1e-4))
    assert table.optimum("cifar10", "test") == (6111, pytest.approx(94.3733, abs=1e-4))
    row = table.index("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|")
    assert (row, f"{table.accuracy(row, 'cifar10', 'valid'):.2f}") == (1835, "39.77")
    assert f"{table.accuracy(row, 'cifar10', 'test'):.2f}" == "54.30"


def test_a_misspelt_figure_names_the_right_one(table: Table) -> None:
    with pytest.raises(UserError, match="did you mean 'cifar10'"):
        table.accuracy(0, "cifar-10", "test")
    with pytest.raises(UserError, match="holds no cifar10 test after 90 epochs; it holds: cifar10 valid after 200"):
        table.accuracy(np.arange(3), "cifar10", "test", 90)
