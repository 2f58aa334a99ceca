"""What the doctor finds in folders that were damaged on purpose, and that its remedies are right."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.io import files, ground_truth
from benchharness.records import RunRecord, RunSpec
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.runs.runner import execute
from benchharness.store import Store
from benchharness.store.doctor import examine
from benchharness.store.run_folder import UNSOUND
from tests.support.tiny import ON_CPU, SETTINGS, Walk, jobs

(JOB,) = jobs("darts,ostr")


@pytest.fixture
def suite_store(tmp_path: Path) -> Store:
    """darts and ostr, both done."""
    new_store = Store(tmp_path / "results", "mine")
    execute(JOB, new_store, ON_CPU, Walk)
    return new_store


def problems(suite_store: Store) -> list[str]:
    return [f"{finding.problem}; {finding.remedy}" for finding in examine(suite_store.root).findings]


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def another(path: Path) -> None:
    path.write_text(path.read_text().replace(JOB.base.run_id, "0" * 16))


def of_another_run(path: Path) -> None:
    record = RunRecord.from_json(path.read_text())
    path.write_text(replace(record, run_id="0" * 16).to_json())


def with_another_cell(path: Path) -> None:
    cell = RunRecord.from_json(path.read_text()).arch
    path.write_text(
        path.read_text().replace(cell, cell.replace("nor_conv_3x3", "none").replace("avg_pool", "max_pool"))
    )


def not_finite(path: Path) -> None:
    files.write_arrays(path, {**files.read_arrays(path), "alphas": np.full((3, 6, 5), np.nan)})


def older(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 0}))


def test_a_sound_folder_gets_no_word(suite_store: Store) -> None:
    assert examine(suite_store.root)[:2] == (2, ())
    assert examine(suite_store.folder(JOB.base))[:2] == (1, ())
    with pytest.raises(UserError, match="no results folder"):
        examine(suite_store.root / "none")


@pytest.mark.parametrize(
    ("name", "harm", "word"),
    [
        ("spec.json", Path.unlink, "spec.json is missing or damaged, so that no report counts this run; the command"),
        ("spec.json", lambda path: path.write_text(jobs("snas")[0].base.to_json()), "spec.json belongs to run"),
        ("record.json", halve, "record.json is not a RunRecord: Input data was truncated, so that the run does not"),
        (
            "record.json",
            lambda path: path.write_bytes(b""),
            "record.json is not a RunRecord: there is nothing in it, so that",
        ),
        ("record.json", another, "record.json is not a RunRecord: it was changed after it was written"),
        ("record.json", of_another_run, "record.json is that of run 0000000000000000, so that the run does not count"),
        ("record.json", with_another_cell, "record.json is not a RunRecord: it was changed after it was written"),
        ("record.json", older, "of another version; record.json: schema 0 where this version reads"),
        ("trace.npz", halve, "trace.npz is not as it was when record.json was written, so that"),
        ("trace.npz", Path.unlink, "trace.npz is missing or damaged; delete record.json"),
        ("trace.npz", not_finite, "trace.npz is not as it was when record.json was written, so that"),
        ("trace.jsonl", halve, "trace.jsonl is not as it was when record.json was written, so that"),
        ("machine.json", halve, "machine.json is missing or damaged"),
        ("checkpoint.pt", halve, "checkpoint.pt is damaged; delete it"),
    ],
)
def test_damage_is_told_with_what_to_do(
    suite_store: Store, name: str, harm: Callable[[Path], object], word: str
) -> None:
    harm(suite_store.folder(JOB.base) / name)
    assert word in "\n".join(problems(suite_store))


@pytest.mark.parametrize("name", ["spec.json", "record.json", "trace.npz", "trace.jsonl"])
def test_the_remedies_restore_every_byte(suite_store: Store, name: str) -> None:
    folder = suite_store.folder(JOB.base)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("machine.json",)}
    halve(folder / name)
    for finding in examine(suite_store.root).findings:
        for doomed in ("record.json", "checkpoint.pt"):
            if f"delete {doomed}" in finding.remedy:
                (finding.path / doomed).unlink(missing_ok=True)
    execute(JOB, suite_store, ON_CPU, Walk)
    (folder / UNSOUND).unlink(missing_ok=True)
    assert problems(suite_store) == []
    assert {path: (folder / path).read_bytes() for path in before if path != "checkpoint.pt"} == {
        path: content for path, content in before.items() if path != "checkpoint.pt"
    }


def test_damaged_ground_truth_beside_the_runs_is_told(suite_store: Store) -> None:
    path = suite_store.path / ground_truth.FOLDER / "pets-0123456789abcdef.jsonl"
    ground_truth.add_trainings(path, [ground_truth.Training(code, 0, 50.0, 50.0, 9.0) for code in (0, 1)])
    assert problems(suite_store) == []
    path.write_bytes(path.read_bytes().replace(b'"test": 50.0', b'"test": 500.0', 1))
    (problem,) = problems(suite_store)
    assert problem.startswith("1 of 2 lines are damaged, whose cells have no accuracy; the command that made it, given")


def test_runs_that_are_not_done(suite_store: Store) -> None:
    failed_job, partial_job, active_job = jobs("darts", (1, 2, 3))
    execute(failed_job, suite_store, ON_CPU, lambda job, device: Walk(job, device, broken=2))
    with suite_store.claim(partial_job.base) as run:
        assert run is not None
        run.log({"epoch": 1})
    with suite_store.claim(active_job.base):
        assert [word.partition(";")[0] for word in problems(suite_store)] == [
            "it failed (RuntimeError: diverged)",
            "it was stopped after 1 of 3 epochs",
        ]


def test_a_reading_without_its_supernet_and_strangers(suite_store: Store) -> None:
    import shutil

    shutil.rmtree(suite_store.folder(JOB.base))
    reading = suite_store.folder(JOB.readouts[0])
    (reading / "notes.txt").write_text("mine")
    (reading / "record.json.tmp").write_text("{")
    text = "\n".join(problems(suite_store))
    assert f"the supernet it was read out of, run {JOB.base.run_id}, is not here" in text
    assert "notes.txt is not ours" in text
    assert "record.json.tmp was left by a process that was killed" in text


def test_a_suite_that_mixes_images_of_one_name_is_told(suite_store: Store) -> None:
    for job in jobs("darts", (1, 2)):
        execute(job, suite_store, ON_CPU, lambda job, device: Walk(job, device, images="b" * 64))
    (word,) = problems(suite_store)
    assert "runs on cifar10 saw different images: 2 on CIFAR-10 (random) (sha256 aaaaaaaaaaaaaaaa), 2 on" in word
    assert "sha256 bbbbbbbbbbbbbbbb" in word


def test_only_what_sees_other_images_is_a_mixture(suite_store: Store) -> None:
    """Neither another label of the same images, nor another suite or data set, nor a record of old that names none."""

    class Saying(Walk):
        about: ClassVar[Mapping[str, str]]

        def read_out(self, spec: RunSpec, file: Path | None = None) -> tuple[RunRecord, dict[str, np.ndarray]]:
            record, arrays = super().read_out(spec, file)
            return replace(record, data=self.about), arrays

    class Relabelled(Saying):
        about: ClassVar = {"label": "CIFAR-10 (another word for it)", "sha256": "a" * 64}

    class OfOld(Saying):
        about: ClassVar = {"label": "CIFAR-10"}

    for seed, kind in ((1, Relabelled), (2, OfOld)):
        execute(jobs("darts", (seed,))[0], suite_store, ON_CPU, kind)
    other_suite = Store(suite_store.root, "other")
    execute(JOB, other_suite, ON_CPU, lambda job, device: Walk(job, device, images="b" * 64))
    (on_digits,) = make_plan(parse_methods("darts"), (0,), "digits", protocol("cpu", SETTINGS))
    execute(on_digits, suite_store, ON_CPU, lambda job, device: Walk(job, device, images="c" * 64))
    assert problems(suite_store) == []
    for seed, images in ((3, "d" * 64), (4, "e" * 64)):
        execute(jobs("darts", (seed,))[0], suite_store, ON_CPU, partial(Walk, images=images))
    (word,) = problems(suite_store)
    assert all(f"(sha256 {kind * 16})" in word for kind in "ade"), "three kinds are three"
