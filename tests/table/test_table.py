"""Look-ups: against figures that papers print, and against counting by hand over made-up ones."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import Metric, Table

ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"


@pytest.mark.parametrize(
    ("dataset", "split", "row", "accuracy"),
    [
        ("cifar10", "valid", 6111, "91.61"),
        ("cifar10", "test", 6111, "94.37"),
        ("cifar100", "valid", 9930, "73.49"),
        ("cifar100", "test", 9930, "73.51"),
        ("imagenet16-120", "valid", 10676, "46.73"),
        ("imagenet16-120", "test", 857, "47.31"),
    ],
)
def test_optima_of_the_benchmark(real_table: Table, dataset: str, split: str, row: int, accuracy: str) -> None:
    best = real_table.optimum(dataset, split)
    assert (best.arch_index, f"{best.accuracy:.2f}") == (row, accuracy)
    assert real_table.rank(row, dataset, split) == 1
    assert real_table.percentile(row, dataset, split) == 100
    assert real_table.regret(row, dataset, split) == 0


def test_the_all_skip_cell_is_the_darts_row_of_the_papers(real_table: Table) -> None:
    row = real_table.index(ALL_SKIP)
    metrics = [("cifar10", "valid"), ("cifar10", "test"), ("cifar100", "valid"), ("cifar100", "test")]
    metrics += [("imagenet16-120", "valid"), ("imagenet16-120", "test")]
    accuracies = [f"{real_table.accuracy(row, *metric):.2f}" for metric in metrics]
    assert (row, accuracies) == (1835, ["39.77", "54.30", "15.03", "15.61", "16.43", "16.32"])


def test_mean_by_number_of_parameter_free_operations(real_table: Table) -> None:
    free = space.count(real_table.ops, *space.PARAMETER_FREE)
    test = real_table.accuracy(None, "cifar10", "test")
    means = [round(float(test[free == number].mean()), 1) for number in range(7)]
    assert means == [93.2, 92.9, 92.3, 90.7, 87.4, 81.1, 66.3]


def test_two_epoch_counts_are_two_figures(real_table: Table) -> None:
    assert (
        real_table.accuracy(6111, "cifar10", "test", epochs=12)
        < real_table.accuracy(6111, "cifar10", "test", epochs=200) - 3
    )


@given(st.integers(0, space.SIZE - 1))
def test_an_architecture_is_found_however_it_is_given(toy_table: Table, row: int) -> None:
    arch = toy_table.arch(row)
    assert (
        toy_table.index(arch)
        == toy_table.index(space.to_string(arch))
        == toy_table.index(row)
        == toy_table.index(str(row))
        == row
    )
    assert toy_table.rows(np.array([row])).tolist() == toy_table.rows([arch]).tolist() == [row]
    assert toy_table.accuracy(space.to_string(arch), "cifar10", "valid") == toy_table.accuracy(row, "cifar10", "valid")


@given(st.lists(st.integers(0, 39), min_size=1, max_size=20))
def test_many_at_once_equal_one_by_one(sample: Table, rows: list[int]) -> None:
    metric = ("cifar10", "test")
    together, cells = sample.numbers[rows], [tuple(sample.ops[row].tolist()) for row in rows]
    for figure in (sample.accuracy, sample.regret, sample.rank, sample.percentile):
        assert figure(together, *metric).tolist() == [figure(int(index), *metric).item() for index in together]
        assert figure(together, *metric).tolist() == figure(cells, *metric).tolist()
        assert figure(cells, *metric).tolist() == [figure(cell, *metric).item() for cell in cells]
        assert figure(None, *metric)[rows].tolist() == figure(together, *metric).tolist()


def test_rank_percentile_and_regret_by_counting(sample: Table) -> None:
    column = sample.accuracy(None, "cifar10", "valid")
    for row, index in enumerate(sample.numbers.tolist()):
        assert sample.rank(index, "cifar10", "valid") == 1 + (column > column[row]).sum()
        assert sample.percentile(index, "cifar10", "valid") == pytest.approx(100 * (column <= column[row]).mean())
        assert sample.regret(index, "cifar10", "valid") == column.max() - column[row]


def test_shapes_follow_the_question(toy_table: Table) -> None:
    assert toy_table.accuracy(3, "cifar10", "test").shape == ()
    assert toy_table.accuracy(np.array([[1, 2], [3, 4]]), "cifar10", "test").shape == (2, 2)
    assert toy_table.accuracy(None, "cifar10", "test").shape == (space.SIZE,)
    assert toy_table.accuracy(np.array([], dtype=int), "cifar10", "test").shape == (0,)


def test_single_runs(toy_table: Table) -> None:
    runs = toy_table.seeds("cifar10", "test")
    complete_rows = np.flatnonzero(~np.isnan(runs).any(axis=1))
    np.testing.assert_array_equal(toy_table.accuracy(complete_rows, "cifar10", "test", seed=2), runs[complete_rows, 2])
    with pytest.raises(UserError, match="lacks cifar10 test after 200 epochs of training run 2 for 1 of them"):
        toy_table.accuracy(int(np.flatnonzero(np.isnan(runs[:, 2]))[0]), "cifar10", "test", seed=2)
    with pytest.raises(UserError, match=r"no training run 3 .* numbered 0 to 2"):
        toy_table.accuracy(0, "cifar10", "test", seed=3)
    with pytest.raises(UserError, match="holds no cifar10 valid after 200 epochs; it holds: cifar10 test"):
        toy_table.seeds("cifar10", "valid")


def test_the_mean_is_that_of_the_runs(real_table: Table) -> None:
    runs = np.nanmean(real_table.seeds("cifar10", "test"), axis=1)
    np.testing.assert_allclose(runs, real_table.accuracy(None, "cifar10", "test"), atol=1e-4)
    assert "2418 architectures cifar10 valid after 200 epochs is the mean of a part" in real_table.about["note"]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (("cifar-11", "test", 200), "unknown data set 'cifar-11'; did you mean 'cifar10'"),
        (("cifar10", "val", 200), "unknown split 'val'; did you mean 'valid'"),
        (("cifar10", "test", 90), "holds no cifar10 test after 90 epochs; it holds: cifar10 valid after 200 epochs;"),
        (("cifar100", "test", 200), "holds no cifar100 test after 200 epochs"),
    ],
)
def test_what_is_not_held_is_refused(toy_table: Table, question: tuple[str, str, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        toy_table.accuracy(0, *question)


@pytest.mark.parametrize("epochs", ["200", 200.5, [200]])
def test_epochs_are_a_whole_number(toy_table: Table, epochs: int) -> None:
    with pytest.raises(UserError, match=r"epochs=.*200.* is not a whole number, such as 200"):
        toy_table.accuracy(0, "cifar10", "test", epochs)
    with pytest.raises(UserError, match="is not a whole number"):
        toy_table.train_seconds("cifar10", epochs)
    assert toy_table.accuracy(0, "cifar10", "test", np.int64(200)) == toy_table.accuracy(0, "cifar10", "test", 200)


@pytest.mark.parametrize(
    "index",
    [
        -1,
        space.SIZE,
        np.array([0, -1]),
        True,
        np.True_,
        6111.7,
        6111.0,
        np.float64(3),
        np.array([1.5]),
        [True],
        float("nan"),
        "99999",
        "9" * 5_000,
        "-1",
        "6111.7",
        "6_111",
        "1e3",
        "nan",
    ],
)
@pytest.mark.parametrize("name", ["toy_table", "sample"])
def test_what_is_no_index_is_refused_and_never_counted_from_the_end(
    request: pytest.FixtureRequest, name: str, index: int
) -> None:
    table: Table = request.getfixturevalue(name)
    questions = [partial(figure, index, "cifar10", "test") for figure in (table.accuracy, table.rank, table.regret)]
    questions += [partial(figure, index) for figure in (table.describe, table.arch, table.index, table.rows)]
    for question in questions:
        with pytest.raises(UserError, match="is no index of an architecture; indices are whole numbers of 0 to 15624"):
            question()


@pytest.mark.parametrize(
    "cell", [(1, 2, 3), (0,) * 7, (0, 0, 0, 0, 0, 5), (0, 0, -1, 0, 0, 0), (1.0,) * 6, (True,) * 6]
)
def test_a_tuple_that_is_no_cell_is_refused(toy_table: Table, cell: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="is not an architecture"):
        toy_table.accuracy(cell, "cifar10", "test")


def test_a_tuple_is_a_cell_in_every_method(real_table: Table) -> None:
    cell = real_table.arch(6111)
    metric = ("cifar10", "test")
    assert (
        real_table.accuracy(cell, *metric).item()
        == real_table.accuracy(6111, *metric).item()
        == pytest.approx(94.37333)
    )
    assert (real_table.rank(cell, *metric), real_table.percentile(cell, *metric), real_table.regret(cell, *metric)) == (
        1,
        100,
        0,
    )
    assert real_table.accuracy(cell, *metric, seed=0).shape == ()
    assert real_table.arch(cell) == cell
    assert (
        real_table.accuracy([cell, space.to_string(cell)], *metric).tolist()
        == [real_table.accuracy(cell, *metric).item()] * 2
    )


def test_a_number_is_the_benchmarks_index_in_a_sample_too(sample: Table, toy_table: Table) -> None:
    for index in sample.numbers.tolist():
        cell = toy_table.arch(index)
        assert sample.arch(index) == cell == sample.arch(cell)
        assert sample.describe(index) == sample.describe(cell) == sample.describe(str(index))
        assert sample.describe(index)["index"] == sample.index(cell) == index
        figures = {(item["split"]): item["accuracy_pct"] for item in sample.describe(index)["figures"]}
        assert figures["test"] == sample.accuracy(index, "cifar10", "test") == sample.accuracy(cell, "cifar10", "test")
    absent_index = next(index for index in range(space.SIZE) if index not in sample.numbers)
    for figure in (sample.arch, sample.describe, sample.index):
        with pytest.raises(UserError, match=rf"\(index {absent_index}\) is not among the 40 architectures"):
            figure(absent_index)


def test_a_sample_refuses_the_architectures_it_lacks(sample: Table, toy_table: Table) -> None:
    assert (toy_table.complete, sample.complete, len(sample)) == (True, False, 40)
    sample_cells = {tuple(row) for row in sample.ops.tolist()}
    absent = next(arch for arch in map(tuple, toy_table.ops.tolist()) if arch not in sample_cells)
    with pytest.raises(UserError, match="is not among the 40 architectures of table 'made-up'"):
        sample.index(absent)
    with pytest.raises(UserError, match="unknown operation 'skip'; did you mean 'skip_connect'"):
        sample.index(ALL_SKIP.replace("skip_connect~2", "skip~2"))


def test_figures_in_words() -> None:
    names = [str(Metric("digits", "test", epochs)) for epochs in (1, 200)]
    assert names == ["digits test after 1 epoch", "digits test after 200 epochs"]


def test_costs(real_table: Table) -> None:
    row = real_table.index(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    )
    assert row == 1462
    assert real_table.params_m()[row] == pytest.approx(1.531546)
    assert real_table.params_m("cifar100")[row] == pytest.approx(1.537396)
    assert real_table.flops_m()[row] == pytest.approx(222.860992)
    assert real_table.train_seconds("cifar100")[6111] == pytest.approx(5759.498668)
    with pytest.raises(
        UserError, match="no training time of 'cifar10' after 12 epochs; this table holds: cifar10 after"
    ):
        real_table.train_seconds("cifar10", 12)


def test_everything_about_one_architecture_says_what_it_is(real_table: Table) -> None:
    description = real_table.describe("6111")
    assert (description["index"], description["arch"]) == (6111, space.to_string(real_table.arch(6111)))
    assert len(description["figures"]) == len(real_table.figures()) == 13
    best = next(item for item in description["figures"] if (item["dataset"], item["split"], item["epochs"]) == TEST_200)
    assert best["accuracy_pct"] == pytest.approx(94.37333)
    assert best["runs_pct"] == [94.26, 94.68, 94.18]
    assert (best["seed_rule"], best["rank"]) == ("mean over the released training seeds", 1)


TEST_200 = Metric("cifar10", "test", 200)


def test_arrays_cannot_be_written_to(toy_table: Table) -> None:
    with pytest.raises(ValueError, match="read-only"):
        toy_table.accuracy(None, "cifar10", "test")[0] = 100
