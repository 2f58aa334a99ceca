"""A table that is not the benchmark does not pass for it: above all one with validation and test mixed up."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchharness.errors import UserError
from benchharness.table import Metric, Table
from benchharness.table.build import build_table
from benchharness.table.importers import columnar
from benchharness.table.nas_bench_201 import OPTIMA, checked


def test_every_figure_of_the_real_table_is_known(real_table: Table) -> None:
    assert set(real_table.figures()) == set(OPTIMA)
    assert checked(real_table) is real_table


@pytest.mark.parametrize(("metric", "other_metric"), list(combinations(OPTIMA, 2)))
def test_any_two_figures_swapped_are_noticed(real_table: Table, metric: Metric, other_metric: Metric) -> None:
    means = dict(real_table.means) | {metric: real_table.means[other_metric], other_metric: real_table.means[metric]}
    with pytest.raises(UserError, match="are its columns mixed up"):
        checked(build_table(real_table.about | {"sha256": ""}, real_table.ops, means))


def test_a_swap_in_the_file_is_noticed(data_folder: Path, tmp_path: Path) -> None:
    source = parquet.read_table(data_folder / "nas-bench-201" / "nb201.parquet")
    names = {"cifar10_valid_200": "cifar10_test_200", "cifar10_test_200": "cifar10_valid_200"}
    parquet.write_table(
        source.rename_columns([names.get(name, name) for name in source.column_names]), tmp_path / "s.parquet"
    )
    with pytest.raises(UserError, match=r"the best cifar10 valid after 200 epochs is 94\.3733, not 91\.6067"):
        columnar.read_source(tmp_path / "s.parquet")


def test_a_part_of_the_rows_is_noticed(sample: Table, make_table: Callable[..., Table]) -> None:
    with pytest.raises(UserError, match="40 architectures where NAS-Bench-201 has 15,625"):
        checked(make_table(40, name="nas-bench-201"))
    assert checked(sample) is sample


def test_made_up_figures_are_noticed(make_table: Callable[..., Table]) -> None:
    with pytest.raises(UserError, match="the best cifar10 valid after 200 epochs is"):
        checked(make_table(name="nas-bench-201"))


def test_optima_right_but_rows_shuffled_are_noticed(real_table: Table) -> None:
    with pytest.raises(UserError, match=r"architecture \d+, the best of .*: are its rows mixed up"):
        checked(build_table(real_table.about, np.roll(real_table.ops, 1, axis=0), real_table.means))
    with pytest.raises(UserError, match="rows of a complete table must be in the order of the benchmark's index"):
        replace(real_table, ops=np.roll(real_table.ops, 1, axis=0))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda table: table.slice(0, 15_624), "15624 architectures where NAS-Bench-201 has 15,625"),
        (lambda table: pa.concat_tables([table] * 5), "has 78125 rows; NAS-Bench-201 has 15,625"),
        (lambda table: with_column(table, "params_m", 1.0), "params_m of row 0 is 1, not"),
        (lambda table: with_column(table, "arch", "|none~0|+|none~1|"), "is not an architecture"),
    ],
)
def test_a_parquet_file_that_is_not_whole_is_refused(data_folder: Path, tmp_path: Path, spoil, sentence: str) -> None:  # type: ignore[no-untyped-def]
    source = parquet.read_table(data_folder / "nas-bench-201" / "nb201.parquet")
    parquet.write_table(spoil(source), tmp_path / "spoilt.parquet")
    with pytest.raises(UserError, match=sentence):
        columnar.read_source(tmp_path / "spoilt.parquet")


def with_column(table: pa.Table, name: str, value: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array([value] * len(table)))


def test_rows_in_another_order_are_put_in_the_benchmarks_own(
    data_folder: Path, tmp_path: Path, real_table: Table
) -> None:
    source = parquet.read_table(data_folder / "nas-bench-201" / "nb201.parquet")
    parquet.write_table(source.take(np.random.default_rng(0).permutation(len(source))), tmp_path / "mixed.parquet")
    assert columnar.read_source(tmp_path / "mixed.parquet").about["sha256"] == real_table.about["sha256"]


def test_the_table_equals_the_file_it_came_from(data_folder: Path, real_table: Table) -> None:
    source = parquet.read_table(data_folder / "nas-bench-201" / "nb201.parquet").to_pandas()
    for metric in real_table.figures():
        name = f"{metric.dataset}_{metric.split}_{metric.epochs}".replace("-", "_")
        np.testing.assert_allclose(real_table.accuracy(None, *metric), source[name], atol=1e-4)
    assert columnar.recognises(data_folder / "nas-bench-201" / "latency.parquet") is None
