"""Tables by training: which architectures, what is kept, what is never trained twice, and what a table makes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchharness import space
from benchharness.config import RECIPES
from benchharness.data import load_images
from benchharness.errors import UserError
from benchharness.io.ground_truth import Training
from benchharness.space import CONV1, NONE, SKIP
from benchharness.table import Metric, Table
from benchharness.table.measurements import measured_path, with_measured
from benchharness.training import journal as measuring
from benchharness.training.journal import Journal, TrainOptions

TINY = replace(RECIPES["small"], name="tiny", epochs=1, images=128, measured=50, channels=2)
CHEAP = (NONE,) * 3 + (SKIP, NONE, NONE)
OTHER = (NONE,) * 3 + (CONV1, NONE, NONE)


@pytest.fixture
def journal(own_home: Path) -> Journal:
    """A journal of its own, empty, on the embedded images."""
    measuring._trainer.cache_clear()
    return Journal(load_images("digits"), TINY)


def code_of(arch: space.Arch) -> int:
    return int(space.classes()[space.to_code(arch)])


def measure(journal: Journal, *archs: space.Arch, seeds: int = 2, jobs: int = 1) -> list[Training]:
    return list(journal.measure(map(code_of, archs), seeds, TrainOptions(jobs)))


def small_table(journal: Journal) -> Table:
    measure(journal, CHEAP)
    return journal.table([code_of(CHEAP)], 2)


def test_every_class_has_one_representative_and_the_references_come_first() -> None:
    codes = measuring.representatives()
    assert sorted(codes.tolist()) == np.unique(space.classes()).tolist()
    first = {code_of(arch) for arch in measuring.REFERENCES}
    assert set(codes[: len(first)].tolist()) == first


def test_a_sample_is_spread_over_the_space() -> None:
    codes = measuring.representatives()[:600]
    assert 0.9 < np.median(codes) / np.median(measuring.representatives()) < 1.1


def test_what_was_trained_is_not_trained_again(journal: Journal) -> None:
    first = measure(journal, CHEAP)
    assert [line.seed for line in first] == [0, 1]
    assert measure(journal, CHEAP) == []
    assert [line.seed for line in measure(journal, CHEAP, seeds=3)] == [2]
    assert list(journal.trainings().values())[:2] == first


def test_a_torn_line_is_trained_again(journal: Journal) -> None:
    measure(journal, CHEAP)
    text = journal.path.read_bytes()
    journal.path.write_bytes(text[:-20])
    (line,) = measure(journal, CHEAP)
    assert line.seed == 1
    assert len(journal.trainings()) == 2


def test_recipes_and_images_do_not_share_a_journal(journal: Journal) -> None:
    images = load_images("digits")
    assert Journal(images, replace(TINY, epochs=2)).path != journal.path
    assert Journal(images._replace(sha256="0" * 64), TINY).path != journal.path
    assert Journal(images, replace(TINY, name="called otherwise")).path == journal.path


def test_a_rate_held_within_an_epoch_makes_another_training_and_older_journals_hold(journal: Journal) -> None:
    names = "batch cells channels epochs images learning_rate measured momentum nesterov trained_on warmup weight_decay"
    assert sorted(measuring.settings(RECIPES["digits"])) == names.split(), (
        "the key is that of before there was a choice"
    )
    assert measuring.settings(RECIPES["nas-bench-201"])["rate_by"] == "epoch"
    recipe = replace(journal.recipe, rate_by="epoch")
    assert Journal(journal.images, recipe).path != journal.path


def test_trainings_on_images_that_came_to_be_moved_otherwise_are_others(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "version", lambda name: 2 if name == "digits" else 1)
    assert Journal(journal.images, journal.recipe).path != journal.path
    monkeypatch.setattr(measuring, "version", lambda name: 1)
    assert Journal(journal.images, journal.recipe).path == journal.path


def test_processes_measure_what_one_process_does(journal: Journal) -> None:
    lines = {(line.code, line.seed, line.valid, line.test) for line in measure(journal, CHEAP, OTHER)}
    journal.path.unlink()
    assert {(line.code, line.seed, line.valid, line.test) for line in measure(journal, CHEAP, OTHER, jobs=2)} == lines


def test_a_failed_training_is_named_and_the_others_are_kept(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(task: measuring.TrainTask) -> Training:
        if task.code == code_of(OTHER):
            raise FloatingPointError("the loss became nan")
        return Training(task.code, task.seed, 50.0, 50.0, 1.0)

    monkeypatch.setattr(measuring, "_train", fails)
    with pytest.raises(UserError, match=r"training .*nor_conv_1x1~0.* failed: the loss became nan"):
        measure(journal, CHEAP, OTHER)
    assert len(journal.trainings()) == 2


def test_a_table_holds_every_member_of_the_classes_trained(journal: Journal) -> None:
    lines = measure(journal, CHEAP, OTHER)
    table = journal.table([code_of(CHEAP), code_of(OTHER)], 2)
    classes = space.classes()
    assert len(table) == np.isin(classes, [code_of(CHEAP), code_of(OTHER)]).sum()
    assert table.figures() == [Metric("digits", "valid", 1), Metric("digits", "test", 1)]
    tests = [line.test for line in lines if line.code == code_of(CHEAP)]
    assert table.seeds("digits", "test", 1)[table.rows(CHEAP)].tolist() == tests
    assert float(table.accuracy(table.index(CHEAP), "digits", "test", 1)) == pytest.approx(np.mean(tests))  # type: ignore[arg-type]
    assert (table.train_seconds("digits", 1) > 0).all()


def test_a_table_says_how_it_was_made(journal: Journal, tmp_path: Path) -> None:
    small_table(journal).save(tmp_path / "made.npz")
    about = Table.open(tmp_path / "made.npz").about
    assert about["recipe"]["learning_rate"] == TINY.learning_rate
    assert about["network"] == {"channels": 2, "cells": 1, "pixels": 12, "classes": 10}
    assert about["training_seeds"] == {"1": [0, 1]}
    assert about["images_sha256"] == load_images("digits").sha256
    assert about["environment"]["packages"]["torch"]


def complete(table: Table, suite: Path, *archs: space.Arch) -> list[Training]:
    codes = measuring.missing_classes(with_measured(table, suite), archs)
    return list(measuring.complete(table, codes, suite, TrainOptions()))


def test_what_a_table_lacks_is_trained_once_beside_the_results_and_marked(journal: Journal, tmp_path: Path) -> None:
    table = small_table(journal)
    assert measuring.missing_classes(table, [CHEAP]) == []
    (line,) = complete(table, tmp_path, CHEAP, OTHER)
    assert (line.code, line.seed) == (code_of(OTHER), 0)
    full_table = with_measured(table, tmp_path)
    row = full_table.rows(OTHER)
    assert full_table.measured_here[row]
    assert not full_table.measured_here[full_table.rows(CHEAP)]
    assert float(full_table.accuracy(OTHER, "digits", "test", 1)) == line.test
    runs = full_table.seeds("digits", "test", 1)[row]
    assert np.isfinite(runs).tolist() == [True, False], "one training seed where the table has two"


def test_later_additions_keep_earlier_ones(journal: Journal, tmp_path: Path) -> None:
    table = small_table(journal)
    third = (NONE,) * 3 + (4, NONE, NONE)
    for arch in (OTHER, third):
        assert len(complete(table, tmp_path, arch)) == 1
    full_table = with_measured(table, tmp_path)
    assert measuring.missing_classes(full_table, [CHEAP, OTHER, third]) == []
    assert complete(table, tmp_path, OTHER) == []


def test_what_this_machine_has_trained_is_copied_to_the_next_results(journal: Journal, tmp_path: Path) -> None:
    table = small_table(journal)
    complete(table, tmp_path / "first", OTHER)
    measure(journal, OTHER, seeds=2)
    assert complete(table, tmp_path / "second", OTHER) == []
    first, second = (measured_path(tmp_path / name, table).read_bytes() for name in ("first", "second"))
    assert first == second, "one training each, however many this machine has made meanwhile"


def test_a_table_of_other_images_is_not_added_to(journal: Journal, tmp_path: Path) -> None:
    table = small_table(journal)
    strange = replace(table, about={**table.about, "images_sha256": "0" * 64})
    with pytest.raises(UserError, match="other images"):
        complete(strange, tmp_path, OTHER)
    silent = replace(table, about={key: value for key, value in table.about.items() if key != "recipe"})
    with pytest.raises(UserError, match="does not say how"):
        complete(silent, tmp_path, OTHER)
    assert not measured_path(tmp_path, table).exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(journal: Journal) -> None:
    journal.path.parent.parent.mkdir(parents=True, exist_ok=True)
    journal.path.parent.write_text("in the way")
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        measure(journal, CHEAP)


def test_the_accuracies_of_every_epoch_are_kept_and_older_lines_have_none(journal: Journal) -> None:
    (line,) = measure(journal, CHEAP, seeds=1)
    assert len(line.train_accuracies) == TINY.epochs
    assert list(journal.trainings().values()) == [line]
    older = Training(line.code, 1, line.valid, line.test, line.seconds)
    journal.add(older)
    assert "train_accuracies" not in journal.path.read_text().splitlines()[1]
    assert list(journal.trainings().values()) == [line, older]
