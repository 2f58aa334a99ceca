from pathlib import Path

import numpy as np
import pytest

from benchharness import report, space, store
from benchharness.analysis.lookup import codes_of
from benchharness.table import DATASETS, Table
from tests.support import report_folder


def test_by_code_is_in_order_of_codes_whatever_the_tables_is(table: Table) -> None:
    column = report.by_code(table, "cifar10", "test")
    for arch in (report_folder.ALL_SKIP, report_folder.GOOD):
        assert column[space.to_code(arch)] == table.accuracy(table.index(arch), "cifar10", "test")


def test_what_a_table_does_not_hold_is_missing(table: Table, sample: Table) -> None:
    assert np.isfinite(report.by_code(sample, "cifar10", "test")).sum() == len(sample)
    for some_table in (None, sample):
        assert np.isnan(report.by_code(some_table, "cifar100", "test")).all()
    assert np.isnan(report.by_code(table, "cifar10", "test", epochs=12)).all()


def test_every_run_is_looked_up_on_every_data_set(suite: Path, table: Table) -> None:
    runs = store.read(suite)
    long = report.lookup(runs, table)
    assert len(long) == len(runs) * len(DATASETS)
    for row in long.to_dict("records"):
        index, dataset = table.index(row["arch"]), row["benchmark_dataset"]
        assert row["test"] == table.accuracy(index, dataset, "test")
        assert row["valid"] == table.accuracy(index, dataset, "valid")
        assert row["regret"] == pytest.approx(float(table.regret(index, dataset, "test")))
        assert row["rank"] == table.rank(index, dataset, "test")
        assert row["percentile"] == table.percentile(index, dataset, "test")


def test_unfinished_runs_and_absent_cells_have_no_figure(tmp_path: Path, table: Table, sample: Table) -> None:
    known_arch = sample.arch(0)
    absent = next(arch for arch in map(table.arch, range(1, 9)) if arch != known_arch)
    for seed, arch in enumerate([known_arch, absent, None]):
        report_folder.add(tmp_path / "suite", report_folder.spec("darts", seed), arch)
    runs = store.read(tmp_path / "suite")
    long = report.lookup(runs, sample).query("benchmark_dataset == 'cifar10'").sort_values("seed")
    assert np.isfinite(long["test"]).tolist() == [True, False, False]
    assert np.isfinite(long["rank"]).tolist() == [True, False, False]
    assert report.lookup(runs, None)["test"].isna().all()


def test_codes_of_architectures_and_of_none(suite: Path) -> None:
    archs = store.read(suite)["arch"]
    codes = codes_of(archs.where(archs.index > 0))
    assert codes[0] == -1
    assert space.to_string(space.from_code(int(codes[1]))) == archs[1]
