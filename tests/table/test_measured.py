"""Tables of any data set: what they are asked by default, what this machine adds to them, and which one is found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchharness import space, table
from benchharness.errors import UserError
from benchharness.io import catalog, ground_truth
from benchharness.io.ground_truth import Training
from benchharness.table import Metric, Table, columns, load_for, load_table, table_of
from benchharness.table.build import build_table
from benchharness.table.importers import TABLES, native
from benchharness.table.importers import columnar as importer
from benchharness.table.measurements import measured_path, with_added, with_measured
from benchharness.table.table import codes as codes_of
from tests.support.measured import NETWORK, measured_table


@pytest.fixture(scope="module")
def pets() -> Table:
    return measured_table()


def rows_of(table: Table, rows: np.ndarray) -> Table:
    fields = (
        {key: array[rows] for key, array in getattr(table, name).items()} for name in ("means", "by_seed", "times")
    )
    return build_table(dict(table.about), table.ops[rows], *fields)


def installed(table: Table, home: Path) -> None:
    table.save(home / "made.npz")
    catalog.install_with(TABLES, str(table.about["name"]), home / "made.npz", native)


def test_a_tables_own_epochs_are_the_default(pets: Table) -> None:
    assert (pets.datasets, pets.epochs("pets")) == (["pets"], 7)
    best = pets.optimum("pets", "test").arch_index
    assert pets.accuracy(best, "pets", "test") == pets.accuracy(best, "pets", "test", epochs=7)
    assert pets.rank(best, "pets", "test") == 1
    assert pets.train_seconds("pets")[pets.rows(best)] == 12.0
    assert pets.seeds("pets", "test").shape == (len(pets), 2)
    with pytest.raises(UserError, match="unknown data set 'pet'; did you mean 'pets'"):
        pets.epochs("pet")
    with pytest.raises(UserError, match="holds no pets test after 200 epochs; it holds: pets valid after 7"):
        pets.accuracy(best, "pets", "test", epochs=200)


def test_the_most_epochs_are_the_default_however_figures_are_ordered(toy_table: Table) -> None:
    assert toy_table.epochs("cifar10") == 200
    reordered = replace(toy_table, means=dict(reversed(toy_table.means.items())))
    assert reordered.epochs("cifar10") == 200


def test_costs_are_those_of_the_tables_own_network(pets: Table) -> None:
    assert pets.network("pets") == space.Network(8, 1, 12, 10)
    assert pets.params_m("pets").tolist() == space.params_m(pets.ops, space.Network(**NETWORK)).tolist()
    description = pets.describe(int(pets.numbers[0]))
    assert description["params_m"] == {"pets": pytest.approx(float(pets.params_m("pets")[0]))}
    assert (description["measured_here"], description["architectures"]) == (False, len(pets))


@pytest.mark.parametrize("network", [{"channels": 0}, {"depth": 3}, "wide", {"channels": "8"}, {"cells": True}])
def test_a_network_that_cannot_be_is_refused(pets: Table, network: object) -> None:
    with pytest.raises(UserError, match="a table's network is channels, cells, pixels, classes, not"):
        replace(pets, about={**pets.about, "network": network})


def test_what_this_machine_added_is_marked_and_comes_last(pets: Table) -> None:
    rows = np.arange(len(pets))
    base = rows_of(pets, rows[:-30])
    full_table = with_added(base, pets)
    assert (len(full_table), full_table.about["sha256"]) == (len(pets), base.about["sha256"])
    assert np.flatnonzero(full_table.measured_here).tolist() == rows[-30:].tolist()
    for arch in map(tuple, pets.ops[-40:].tolist()):
        description, own_description = full_table.describe(arch), pets.describe(arch)
        assert description["figures"][1]["accuracy_pct"] == own_description["figures"][1]["accuracy_pct"]
        assert description["measured_here"] == (pets.rows(arch) >= len(pets) - 30)
    assert with_added(pets, rows_of(pets, rows[:5])) is pets


def test_rank_and_percentile_are_among_the_tables_own_architectures(pets: Table) -> None:
    best = np.argsort(pets.accuracy(None, "pets", "test"))
    base = rows_of(pets, best[:-5])
    full_table = with_added(base, pets)
    assert full_table.optimum("pets", "test").accuracy == pets.optimum("pets", "test").accuracy
    assert full_table.rank(full_table.optimum("pets", "test").arch_index, "pets", "test") == 1
    rows = base.numbers
    for figure in ("rank", "percentile"):
        assert (
            getattr(full_table, figure)(rows, "pets", "test").tolist()
            == getattr(base, figure)(rows, "pets", "test").tolist()
        )


def test_what_the_added_rows_lack_is_missing(pets: Table) -> None:
    rows = np.arange(len(pets))
    other = replace(rows_of(pets, rows[-3:]), by_seed={}, times={})
    full_table = with_added(rows_of(pets, rows[:-3]), other)
    assert len(set(full_table.numbers.tolist())) == len(full_table)
    assert np.isnan(full_table.seeds("pets", "test")[-3:]).all()
    assert np.isnan(full_table.train_seconds("pets")[-3:]).all()
    assert np.isfinite(full_table.accuracy(pets.numbers[-3:], "pets", "test")).all()


def test_networks_of_another_size_are_not_added(pets: Table) -> None:
    other = replace(pets, about={**pets.about, "network": {**NETWORK, "channels": 16}})
    with pytest.raises(UserError, match="are of networks of another size"):
        with_added(rows_of(pets, np.arange(5)), other)


def test_load_for_finds_the_table_called_like_the_data_set(own_home: Path, pets: Table) -> None:
    installed(pets, own_home)
    assert load_for("pets").about["sha256"] == pets.about["sha256"]
    with pytest.raises(UserError, match=r"no table of 'birds' in .*; `benchharness table build --dataset birds` meas"):
        load_for("birds")
    with pytest.raises(UserError, match="no table 'nas-bench-201' in"):
        load_for("cifar100")
    installed(replace(pets, about={**pets.about, "name": "cars"}), own_home)
    with pytest.raises(UserError, match="'cars' is not ground truth of the data set 'cars': it holds figures of pets"):
        load_for("cars")


def test_an_installed_table_comes_before_the_packaged_one(own_home: Path) -> None:
    mine = measured_table("digits", classes=20)
    installed(mine, own_home)
    assert load_table("digits").about["sha256"] == load_for("digits").about["sha256"] == mine.about["sha256"]


def trainings(archs: np.ndarray, test: float = 80.0) -> list[Training]:
    codes = np.unique(space.classes()[codes_of(archs)])
    return [Training(int(code), 0, 81.0, test, 9.0) for code in codes]


def test_what_was_trained_for_results_belongs_to_one_state_of_the_table(tmp_path: Path, pets: Table) -> None:
    mine = rows_of(pets, np.arange(len(pets) - 4))
    absent = pets.ops[-4:]
    ground_truth.add_trainings(measured_path(tmp_path / "suite", mine), trainings(absent))
    for results in ("suite", "", "suite/pets/darts", "suite/pets/darts/seed-000-0123456789abcdef"):
        full_table = with_measured(mine, tmp_path / results)
        assert full_table.measured_here[full_table.rows(tuple(absent[-1].tolist()))], results
        assert float(full_table.accuracy(tuple(absent[-1].tolist()), "pets", "test")) == 80.0
    assert with_measured(mine, tmp_path / "other") is mine
    other = replace(mine, about={**mine.about, "sha256": "0" * 64})
    assert with_measured(other, tmp_path / "suite") is other


def test_of_two_results_the_first_counts(tmp_path: Path, pets: Table) -> None:
    mine, absent = rows_of(pets, np.arange(len(pets) - 1)), pets.ops[-1:]
    for name, test in (("a", 70.0), ("b", 60.0)):
        ground_truth.add_trainings(measured_path(tmp_path / name, mine), trainings(absent, test))
    for names, test in ((("a", "b"), 70.0), (("b", "a"), 60.0)):
        full_table = with_measured(mine, *(tmp_path / name for name in names))
        assert float(full_table.accuracy(tuple(absent[0].tolist()), "pets", "test")) == test


def test_damaged_and_impossible_trainings_do_not_count(tmp_path: Path, pets: Table) -> None:
    mine, absent = rows_of(pets, np.arange(len(pets) - 1)), pets.ops[-1:]
    path, (good,) = measured_path(tmp_path, mine), trainings(absent)
    member = int(np.flatnonzero(space.classes() != np.arange(space.SIZE))[0])
    bad = [replace(good, code=20_000), replace(good, code=-1), replace(good, code=member), replace(good, test=101.0)]
    ground_truth.add_trainings(path, [*bad, replace(good, seed=-1)])
    assert with_measured(mine, tmp_path) is mine
    path.write_bytes(path.read_bytes() + b'{"code": 1, "se')
    assert with_measured(mine, tmp_path) is mine


def test_a_folder_of_several_data_sets_has_several_tables(pets: Table, toy_table: Table) -> None:
    assert table_of({"pets": pets}, "pets") is pets
    assert table_of({"pets": pets}, "cars") is None
    assert table_of(lambda dataset: toy_table if dataset == "cifar10" else None, "cifar10") is toy_table
    assert table_of(toy_table, "imagenet16-120") is toy_table, "the benchmark's table, though it lacks the figures"
    assert table_of(toy_table, "pets") is table_of(pets, "cifar10") is table_of(None, "pets") is None


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_columns_of_any_data_set_go_out_and_come_back(pets: Table, tmp_path: Path, suffix: str) -> None:
    mine = measured_table("my-set_2", classes=12, epochs=3, seeds=3)
    path = tmp_path / f"my-set_2{suffix}"
    assert columns.write_table(mine, path) == len(mine)
    assert importer.recognises(path) == "my-set_2"
    reimported = importer.read_source(path)
    assert reimported.about["sha256"] == mine.about["sha256"]
    assert reimported.about["network"] == NETWORK
    assert (reimported.figures(), list(reimported.times)) == (
        sorted(mine.figures(), key=lambda f: f.split != "valid"),
        [("my-set_2", 3)],
    )


def test_columns_mark_what_this_machine_added(pets: Table) -> None:
    assert columns.HERE not in columns.frame(pets)
    full_table = with_added(rows_of(pets, np.arange(len(pets) - 2)), pets)
    assert columns.frame(full_table)[columns.HERE].tolist() == [False] * (len(pets) - 2) + [True] * 2


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("cifar10_test_halftrain_200", Metric("cifar10", "test-halftrain", 200)),
        ("imagenet16_120_valid_12", Metric("imagenet16-120", "valid", 12)),
        ("cifar10_test_90", Metric("cifar10", "test", 90)),
        ("my_own-set_valid_20", Metric("my_own-set", "valid", 20)),
        ("pets_train_20", None),
        ("pets_test_020", None),
        ("_test_20", None),
        ("pets_test_20_by_seed", None),
    ],
)
def test_a_figures_column_is_read_by_pattern(name: str, metric: Metric | None) -> None:
    assert list(columns.figures_in([name])) == ([metric] if metric else [])
    if metric:
        assert columns.figure_name(metric) == name
        assert columns.runs_in([name + "_by_seed"]) == {metric: name + "_by_seed"}


def test_networks_that_differ_by_row_are_refused(tmp_path: Path, pets: Table) -> None:
    frame = (
        columns.frame(pets)
        .assign(network_cells=range(len(pets)))
        .drop(columns=list(map(columns.seeds_name, pets.means)))
    )
    frame.to_csv(tmp_path / "pets.csv", index=False)
    with pytest.raises(UserError, match="are to be whole numbers, the same in every row"):
        importer.read_source(tmp_path / "pets.csv")


def test_what_the_default_command_found_comes_trained_with_the_embedded_table(tmp_path: Path) -> None:
    embedded = load_table("digits")
    full_table = with_measured(embedded, tmp_path)
    shipped = ground_truth.read_trainings(Path(table.__file__).parent / measured_path(tmp_path, embedded).name)
    classes = space.classes()
    assert shipped, "the file belongs to the table's content, and goes with it"
    assert not set(classes[codes_of(embedded.ops)]) & {line.code for line in shipped}
    added = set(range(len(embedded), len(full_table)))
    assert full_table.rows_measured_here == added
    assert {int(code) for code in classes[codes_of(full_table.ops)[sorted(added)]]} == {line.code for line in shipped}
    assert not np.isnan(full_table.accuracy(None, "digits", "test", 1)).any()
