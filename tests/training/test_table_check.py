"""Architectures trained anew beside a table's figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchharness import space
from benchharness.config import TrainConfig
from benchharness.data import load_images
from benchharness.errors import UserError
from benchharness.io.ground_truth import Training
from benchharness.space import Arch
from benchharness.table import Metric, Table
from benchharness.table.build import build_table
from benchharness.training import journal as measuring
from benchharness.training import table_check
from benchharness.training.journal import Journal

ARCHS: tuple[Arch, ...] = ((1,) * 6, (2,) * 6, (3,) * 6)
SHORT, LONG = Metric("digits", "test", 12), Metric("digits", "test", 200)


def table() -> Table:
    runs = np.array([[80.0, 82.0, np.nan], [70.0, 70.0, 73.0], [90.0, np.nan, np.nan]])
    means = {SHORT: np.array([60.0, 50.0, 75.0]), LONG: np.nanmean(runs, axis=1)}
    about = {"name": "made", "version": "1", "source": "a test"}
    return build_table(about, np.array(ARCHS), means, {LONG: runs})


def journal_with_runs(own_home: Path) -> Journal:
    journal = Journal(load_images("digits"), TrainConfig(epochs=12))
    journal.path.parent.mkdir(parents=True)
    for arch in ARCHS:
        for seed, test in enumerate((61.0, 63.0)):
            journal.add(Training(space.to_code(arch), seed, None, test, 1.0))
    return journal


def test_our_figure_stands_beside_the_tables_and_its_seed_noise(own_home: Path) -> None:
    comparisons = table_check.compare(table(), table().numbers.tolist(), journal_with_runs(own_home), 2)
    assert [comparison.metric for comparison in comparisons] == [
        SHORT
    ] * 3  # the table holds no validation figure after 12 epochs
    assert comparisons[0].difference == pytest.approx(62 - 60)
    assert comparisons[0].ours.tolist() == [61.0, 63.0]
    assert comparisons[0].noise == pytest.approx(np.std([80, 82], ddof=1))
    assert comparisons[1].noise == pytest.approx(np.std([70, 70, 73], ddof=1))
    assert comparisons[0].noise_of == "after 200 epochs"
    assert np.isnan(comparisons[2].noise)


def equal_cells_table(spread: float, **about: object) -> Table:
    """Classes of three cells each, all near 60 percent but for the last, whose figures are `spread` apart."""
    classes = space.classes()
    groups = [np.flatnonzero(classes == one) for one in np.unique(classes)]
    groups = [group[:3] for group in groups if len(group) >= 3][:13]
    archs = [space.from_code(int(code)) for group in groups for code in group]
    rng = np.random.default_rng(0)
    means = np.repeat(np.r_[rng.uniform(58, 62, 12), 90.0], 3) + np.tile([-spread, 0.0, spread], 13)
    means[-3:] = 80.0, 90.0, 100.0
    return build_table({"name": "made", "version": "1", "source": "a test", **about}, np.array(archs), {SHORT: means})


def test_cells_that_compute_the_same_tell_the_noise_of_a_figure_of_their_height(own_home: Path) -> None:
    benchmark = equal_cells_table(0.5)
    journal = Journal(load_images("digits"), TrainConfig(epochs=12))
    index = int(benchmark.numbers[0])
    code = space.to_code(benchmark.arch(index))
    journal.path.parent.mkdir(parents=True)
    journal.add(Training(code, 0, None, 60.0, 1.0))
    (comparison,) = table_check.compare(benchmark, [index], journal, 1)
    assert comparison.noise == pytest.approx(0.5)
    assert comparison.noise_of == "equal cells"
    same = [arch for arch in benchmark.numbers if space.classes()[space.order()[arch]] == space.classes()[code]]
    assert sorted(comparison.equals) == pytest.approx(sorted(benchmark.accuracy(np.array(same), *SHORT)))
    assert len(comparison.equals) == 3


def test_equal_cells_tell_nothing_where_they_are_few_or_share_a_training() -> None:
    few = table_check.EqualCells(equal_cells_table(0.5), SHORT)
    assert few.noise(60.0) == pytest.approx(0.5)
    assert np.isnan(few.noise(90.0)), "two differences are no estimate"
    measured = equal_cells_table(0.0, recipe={"epochs": 12})
    trained_once = table_check.EqualCells(measured, SHORT)
    assert np.isnan(trained_once.noise(60.0))
    assert len(trained_once.of(space.to_code(measured.arch(int(measured.numbers[0]))))) == 0


def test_rows_are_named_or_drawn(own_home: Path) -> None:
    benchmark = table()
    first, _, third = benchmark.numbers.tolist()
    assert table_check.rows_to_compare(benchmark, [space.to_string(ARCHS[2]), str(first)], 0, SHORT) == [third, first]
    rows = table_check.rows_to_compare(benchmark, [], 2, SHORT)
    assert len(set(rows)) == 2
    assert rows == table_check.rows_to_compare(benchmark, [], 2, SHORT)
    with pytest.raises(UserError, match="sample=4"):
        table_check.rows_to_compare(benchmark, [], 4, SHORT)


def test_the_half_of_cifar10_has_a_figure_of_its_own() -> None:
    images = load_images("digits")._replace(name="cifar10")
    assert Journal(images, TrainConfig()).figures() == {
        Metric("cifar10", "valid", 12): "valid",
        Metric("cifar10", "test-halftrain", 12): "test",
    }
    figures = Journal(images, replace(TrainConfig(), trained_on="whole")).figures()
    assert figures[Metric("cifar10", "test", 12)] == "test"


def test_a_measured_table_can_be_checked_by_its_own_recipe(own_home: Path) -> None:
    journal = journal_with_runs(own_home)
    own_table = journal.table([space.to_code(arch) for arch in ARCHS], 2)
    assert measuring.recipe_of(own_table) == TrainConfig(epochs=12)
    assert measuring.recipe_of(table()) is None
    comparisons = table_check.compare(own_table, [own_table.index(ARCHS[0])], journal, 2)
    assert [comparison.difference for comparison in comparisons] == [0.0]
    assert comparisons[0].noise == pytest.approx(np.std([61, 63], ddof=1))
