from pathlib import Path

import numpy as np
import pytest

from benchharness import report, space, store
from benchharness.analysis.search_curves import supernets
from benchharness.table import Table
from tests.support import report_folder


def test_a_shared_supernet_has_one_curve_under_the_name_that_trained_it(suite: Path, table: Table) -> None:
    runs = store.read(suite)
    curves = report.curves(runs, table)
    assert set(curves["method"]) == {"darts"}, "ostr reads out darts' supernets, random trains nothing"
    assert len(curves) == 3 * report_folder.EPOCHS
    assert set(supernets(runs)["method"]) == {"darts", "random"}


def test_without_the_run_that_trained_it_a_read_out_stands_for_its_supernet(suite: Path) -> None:
    runs = store.read(suite).query("method == 'ostr'")
    assert supernets(runs)["method"].tolist() == ["ostr"] * 3


def test_figures_of_an_epoch_are_those_of_its_argmax_cell(suite: Path, table: Table) -> None:
    curves = report.curves(store.read(suite), table)
    codes = [space.to_code(space.from_string(arch)) for arch in curves["arch"]]
    assert curves["test"].tolist() == report.by_code(table, "cifar10", "test")[codes].tolist()
    last = curves[curves["epoch"] == report_folder.EPOCHS]
    assert (last[["skips", "parameter_free"]] == 6).all(axis=None)
    expected = report_folder.leaning(report_folder.ALL_SKIP)[-1]
    margin = (expected[:, 1] - (expected[:, 2] + expected[:, 3]) / 2).mean()
    assert last["skip_margin"].tolist() == pytest.approx([margin] * 3)


def test_an_unfinished_run_has_the_epochs_it_got_to(tmp_path: Path) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), None)
    curves = report.curves(store.read(tmp_path / "s"))
    assert curves["epoch"].tolist() == [1, 2, 3]
    assert curves[["skip_margin", "eigenvalue", "test"]].isna().all(axis=None)


def test_eigenvalues_are_there_where_they_were_measured(tmp_path: Path) -> None:
    eigenvalue = np.array([np.nan, 0.2, np.nan, 0.4, np.nan, 0.6])
    report_folder.add(
        tmp_path / "s", report_folder.spec("darts", 0), report_folder.GOOD, arrays={"eigenvalue": eigenvalue}
    )
    curves = report.curves(store.read(tmp_path / "s"))
    assert curves["eigenvalue"].tolist() == pytest.approx(eigenvalue, nan_ok=True)


def test_where_nothing_is_decided_there_is_no_argmax_cell(tmp_path: Path, table: Table) -> None:
    """A method that moves no alpha weighs all operations alike; its argmax would be the first of them, `none`."""
    uniform = np.full((report_folder.EPOCHS, 6, 5), 0.2)
    later = uniform.copy()
    later[2:, 0, 1] = 0.3
    for seed, expected in enumerate((uniform, later)):
        report_folder.add(
            tmp_path / "s", report_folder.spec("darts", seed), report_folder.GOOD, arrays={"expected": expected}
        )
    curves = report.curves(store.read(tmp_path / "s"), table)
    has_argmax = curves[["skips", "parameter_free", "test", "valid"]].notna().all(axis=1)
    assert has_argmax.tolist() == [False] * report_folder.EPOCHS + [False] * 2 + [True] * (report_folder.EPOCHS - 2)
    assert curves["valid_accuracy_pct"].notna().all()


def test_nothing_trained_gives_no_curve(tmp_path: Path) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("random", 0), report_folder.GOOD)
    curves = report.curves(store.read(tmp_path / "s"))
    assert curves.empty
    assert {"method", "epoch", "skips", "eigenvalue"} <= set(curves)
