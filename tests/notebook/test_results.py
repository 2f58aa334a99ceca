"""The results of a folder as a notebook has them."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import benchharness as bh
from benchharness import store
from benchharness.errors import UserError
from benchharness.notebook.results import COLUMNS, Results
from benchharness.table import Table
from tests.support import report_folder


@pytest.fixture(scope="module")
def results(suite: Path, table: Table) -> Results:
    return Results(store.read(suite), table)


def test_the_frame_has_a_row_per_run_with_what_the_table_says(results: Results, table: Table) -> None:
    frame = results.frame
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(results) == 9
    darts = frame[frame["method"] == "darts"]
    assert darts["collapsed"].tolist() == [True] * 3
    assert darts["skips"].tolist() == [6] * 3
    arch = frame["arch"].iloc[-1]
    assert frame["test"].iloc[-1] == table.accuracy(arch, "cifar10", "test")
    assert frame["valid"].iloc[-1] == table.accuracy(arch, "cifar10", "valid")
    assert frame["regret"].iloc[-1] == table.regret(arch, "cifar10", "test")
    assert frame["rank"].iloc[-1] == table.rank(arch, "cifar10", "test")
    assert set(results.long["benchmark_dataset"]) == {"cifar10", "cifar100", "imagenet16-120"}


def test_a_run_that_derived_nothing_has_nothing_to_count(tmp_path: Path, table: Table) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), None)
    (row,) = Results(store.read(tmp_path), table)
    assert row.status == "stale"
    assert pd.isna(row.skips)
    assert pd.isna(row.collapsed)
    assert np.isnan(row.test)


def test_a_run_by_number_and_others_by_name_slice_or_mask(results: Results) -> None:
    assert results[0] == next(iter(results))
    assert (results[0].method, results[-1].method) == ("darts", "random")
    assert [run.seed for run in results["ostr"]] == [0, 1, 2]
    assert len(results["cifar10"]) == len(results[results.frame.seed < 9]) == 9
    assert len(results[:4]) == 4
    assert len(results["darts"]["cifar10"]) == 3
    with pytest.raises(UserError, match="did you mean 'darts'"):
        results["dart"]


def test_it_is_told_in_a_line_and_in_html(results: Results) -> None:
    assert repr(results) == "9 runs of 3 methods (9 done)"
    assert repr(results[:1]) == "1 run of 1 method (1 done)"
    html = results._repr_html_()
    assert "Did DARTS collapse?" in html
    assert "<td>a random cell</td>" in html


def test_a_name_with_signs_harms_no_html_and_no_plot(tmp_path: Path, table: Table) -> None:
    for seed in range(2):
        report_folder.add(tmp_path / "s", report_folder.spec("<b>$x_$", seed), report_folder.GOOD)
    results = Results(store.read(tmp_path), table)
    assert "<b>$x_$" not in results._repr_html_()
    ax = results.plot_accuracy()
    ax.figure.canvas.draw()
    assert ax.get_yticklabels()[0].get_text() == "<b>$x_$"


PLOTS = ("plot_accuracy", "plot_collapse", "plot_taus", "plot_cells")


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_one_call(results: Results, name: str) -> None:
    axes = np.ravel(getattr(results, name)())
    (figure,) = map(plt.figure, plt.get_fignums())
    assert {ax.figure for ax in axes} == {figure}
    assert any(ax.has_data() or ax.texts for ax in axes)
    figure.canvas.draw()


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_goes_where_it_is_told(results: Results, name: str) -> None:
    figure, (left_ax, right_ax) = plt.subplots(1, 2, figsize=(11, 3))
    spec = right_ax.get_subplotspec()
    axes = np.ravel(getattr(results, name)(ax=right_ax))
    assert tuple(figure.get_size_inches()) == (11, 3)
    assert left_ax in figure.axes
    assert not left_ax.has_data()
    assert len(plt.get_fignums()) == 1
    figure.canvas.draw()
    middle = [ax.get_window_extent().x0 / figure.bbox.width for ax in axes]
    assert min(middle) > 0.4, f"in the right half, {spec}"


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_that_was_made_for_it_keeps_its_size(results: Results, name: str) -> None:
    figure = plt.figure(figsize=(9, 4))
    axes = np.ravel(getattr(results, name)())
    assert axes[0].get_figure(root=True) is figure
    assert tuple(figure.get_size_inches()) == (9, 4)
    new_axes = np.ravel(getattr(results, name)())
    assert new_axes[0].get_figure(root=True) is not figure, "nothing is drawn over what is there"


def test_several_panels_want_axes_out_of_a_grid(results: Results) -> None:
    with pytest.raises(UserError, match="axes of a grid"):
        results.plot_cells(plt.figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize("most", [0, -1])
def test_no_fewer_than_one_cell_is_drawn(results: Results, most: int) -> None:
    with pytest.raises(UserError, match=f"most={most} is out of range; it must be 1 or more"):
        results.plot_cells(most=most)


def test_what_cannot_be_drawn_is_said(tmp_path: Path, table: Table) -> None:
    report_folder.suite(tmp_path / "a", (0,))
    report_folder.suite(tmp_path / "b", (0,))
    several = Results(store.read(tmp_path), table)
    with pytest.raises(UserError, match="of 2 settings, which no plot mixes; take one of 'a: cifar10"):
        several.plot_accuracy()
    assert len(several["a"]) == 3
    several["a"].plot_accuracy()
    empty = Results(store.read(tmp_path)[:0], table)
    assert repr(empty) == "0 runs of 0 methods (nothing was run)"
    assert len(empty.frame) == 0
    assert "nothing was run" in empty._repr_html_()
    for name in PLOTS:
        with pytest.raises(UserError, match="nothing to draw"):
            getattr(empty, name)()
    without = Results(store.read(tmp_path / "a"), None)
    with pytest.raises(UserError, match="no run here has a cell with a test accuracy"):
        without.plot_accuracy()


def test_results_of_a_folder_are_of_the_same_kind(own_home: Path) -> None:
    report_folder.suite(own_home / "results" / "demo", (0,))
    results = bh.results("~/results")
    assert isinstance(results, bh.Results)
    assert len(results) == 3
    with pytest.raises(UserError, match="no results folder"):
        bh.results("none")
