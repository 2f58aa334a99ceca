"""Arrays that do not make a table are refused, whoever brings them."""

from typing import Any

import numpy as np
import pytest

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import Metric
from benchharness.table.build import build_table

VALID = Metric("cifar10", "valid", 200)
ABOUT = {"name": "small", "version": "0", "source": "a test"}
OPS = space.all_ops()[:3]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ops": OPS[[0, 1, 1]]}, "occurs twice"),
        ({"ops": OPS[:, :5]}, "6 operations of 0 to 4"),
        ({"ops": OPS + 5}, "6 operations of 0 to 4"),
        ({"means": {VALID: np.array([50.0, 60.0, 100.1])}}, "not in percent: 50 to 100.1"),
        ({"means": {VALID: np.array([50.0, -1.0, 60.0])}}, "not in percent: -1 to 60"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], sentence: str) -> None:
    arguments = {"about": ABOUT, "ops": OPS, "means": {VALID: np.array([50.0, 60.0, 70.0])}}
    build_table(**arguments)
    with pytest.raises(UserError, match=sentence):
        build_table(**arguments | changes)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises((UserError, TypeError), match=r"2 values of cifar10 valid after 200 epochs for 3|'means'"):
        build_table(ABOUT, OPS, {VALID: np.array([50.0, 60.0])})


def test_rounding_errors_do_not_part_equals() -> None:
    table = build_table(ABOUT, OPS, {VALID: np.array([90.1, 90.1 + 2e-9, 90.0])})
    assert table.rank(None, "cifar10", "valid").tolist() == [1, 1, 3]


def test_gaps_are_left_out_of_ranks_and_refused_by_name() -> None:
    table = build_table(ABOUT, OPS, {VALID: np.array([np.nan, 80.0, 90.0])})
    first, second, third = table.numbers.tolist()
    assert table.optimum("cifar10", "valid") == (third, 90.0)
    assert table.percentile(second, "cifar10", "valid") == 50
    assert np.isnan(table.accuracy(None, "cifar10", "valid")[0])
    with pytest.raises(UserError, match="lacks cifar10 valid after 200 epochs for 1 of them"):
        table.accuracy(np.array([first, second]), "cifar10", "valid")
    assert table.describe(first)["figures"] == []


def test_indices_are_those_of_the_benchmark() -> None:
    ops = space.all_ops()[space.order()[[0, 11, 284]]]
    table = build_table(ABOUT, ops, {VALID: np.array([1.0, 2.0, 3.0])})
    assert table.numbers.tolist() == [0, 11, 284]
    assert (table.rows(284), table.rows("11"), table.describe(284)["index"]) == (2, 1, 284)


def test_rows_of_a_complete_table_go_where_the_benchmark_has_them() -> None:
    table = build_table(ABOUT, space.all_ops(), {VALID: np.arange(space.SIZE) / space.SIZE})
    assert table.numbers.tolist() == list(range(space.SIZE))
    assert table.accuracy(6111, "cifar10", "valid") == pytest.approx(space.order()[6111] / space.SIZE, abs=1e-5)


def test_the_checksum_is_of_the_content_alone() -> None:
    means = {VALID: np.array([1.0, 2.0, 3.0])}
    table, same_table = (build_table(ABOUT | {"source": source}, OPS, means) for source in ("here", "there"))
    other_table = build_table(ABOUT, OPS, {Metric("cifar10", "test", 200): means[VALID]})
    assert table.about["sha256"] == same_table.about["sha256"] != other_table.about["sha256"]
