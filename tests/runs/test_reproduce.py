"""Making a run again: the same bits are found the same, and any other bit is named."""

import hashlib
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchharness.cli import main
from benchharness.compute import environment
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.records import RunRecord
from benchharness.runs import reproduce
from benchharness.runs.runner import execute
from benchharness.store import Store
from benchharness.store.run_folder import find_run
from benchharness.store.schemas import Machine
from tests.support.tiny import ON_CPU, Walk, jobs

(JOB,) = jobs("darts,ostr", (4,))


@pytest.fixture
def suite_store(tmp_path: Path) -> Store:
    new_store = Store(tmp_path / "results", "mine")
    execute(JOB, new_store, ON_CPU, Walk)
    return new_store


class Other(Walk):
    """The same search on a machine that rounds otherwise in its second epoch."""

    def run_epoch(self) -> dict[str, Any]:
        line = super().run_epoch()
        if self.epoch == 2:
            self.alphas[-1] = self.alphas[-1] + 2.0**-10
        return line


@pytest.mark.parametrize("spec", JOB.specs, ids=["supernet", "reading"])
def test_the_same_bits_are_found_the_same(suite_store: Store, tmp_path: Path, spec: Any) -> None:
    comparison = reproduce.repeat(suite_store.folder(spec), tmp_path / "again", "cpu", Walk)
    assert comparison.differences == ()
    assert comparison.circumstances == ()
    assert (comparison.folder / "record.json").read_bytes() == (suite_store.folder(spec) / "record.json").read_bytes()


def test_other_bits_are_named(suite_store: Store, tmp_path: Path) -> None:
    comparison = reproduce.repeat(suite_store.folder(JOB.base), tmp_path / "again", "cpu", Other)
    assert "alphas: differs by up to 0.000977" in comparison.differences


def test_other_records_versions_and_traces_are_named(suite_store: Store, tmp_path: Path) -> None:
    folder = suite_store.folder(JOB.base)
    record = RunRecord.from_json((folder / "record.json").read_text())
    files.write_text(folder / "record.json", replace(record, measures={}, files={}).to_json())
    machine = files.read_json(folder / "machine.json", Machine) or {}
    files.write_json(folder / "machine.json", {**machine, "environment": {"python": "2.7"}})
    files.keep_lines(folder / "trace.jsonl", 2)
    comparison = reproduce.repeat(folder, tmp_path / "again", "cpu", Walk)
    assert [word.partition(":")[0] for word in comparison.differences] == ["measures", "trace.jsonl"]
    assert any(word.startswith("python: 2.7 then, 3.") for word in comparison.circumstances)


def test_a_run_of_recorded_steps_is_repeated_without_them_on_a_processor(suite_store: Store, tmp_path: Path) -> None:
    folder = suite_store.folder(JOB.base)
    files.write_json(
        folder / "machine.json", {**(files.read_json(folder / "machine.json", Machine) or {}), "graphs": True}
    )
    assert not reproduce.repeat(folder, tmp_path / "again", "cpu", Walk).differences


def test_runs_are_found_by_the_beginning_of_their_id(suite_store: Store) -> None:
    root, run_id = suite_store.root, JOB.base.run_id
    assert find_run(root, run_id[:8]) == find_run(root, run_id) == suite_store.folder(JOB.base)
    with pytest.raises(UserError, match=r"no runs under .* begins with 0123456789$"):
        find_run(root, "0123456789")
    with pytest.raises(UserError, match="is not a run; give"):
        find_run(root, "../..")
    shutil.copytree(suite_store.path, root / "other")
    with pytest.raises(UserError, match=r"2 runs under .*; more digits of it, or the folder of one suite as --results"):
        find_run(root, run_id)
    assert find_run(root / "other", run_id).is_relative_to(root / "other")


def test_runs_are_found_by_their_folders_and_by_the_names_of_these(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = suite_store.root, suite_store.folder(JOB.base)
    assert find_run(root, folder.name) == folder
    assert find_run(root / "missing", str(folder)) == folder.resolve()
    monkeypatch.chdir(folder)
    assert find_run(root / "missing", ".") == folder.resolve()
    monkeypatch.chdir(folder.parent)
    assert find_run(root / "missing", folder.name) == folder.resolve()
    for name in (str(folder.parent), f"{folder}x", "seed-x-3a8b", "n" * 5000, "a\0b"):
        with pytest.raises(UserError, match="is not a run; give its folder"):
            find_run(root, name)


def test_another_source_is_a_circumstance_and_no_difference(
    suite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = suite_store.folder(JOB.base)
    source = json.loads((folder / "record.json").read_text())["package_sha256"]
    assert source == environment.source_sha256()
    assert {attempt["package_sha256"] for attempt in json.loads((folder / "machine.json").read_text())["attempts"]} == {
        source
    }
    monkeypatch.setattr(environment, "source_sha256", lambda: "ab" * 32)
    comparison = reproduce.repeat(folder, tmp_path / "again", "cpu", Walk)
    assert comparison.differences == ()
    assert comparison.circumstances == (f"source of benchharness: {source} then, {'ab' * 32} now",)


def test_what_cannot_be_repeated_is_refused(suite_store: Store, tmp_path: Path) -> None:
    reading = suite_store.folder(JOB.readouts[0])
    with pytest.raises(UserError, match="cannot be repeated: RuntimeError: diverged"):
        reproduce.repeat(
            suite_store.folder(JOB.base), tmp_path / "again", "cpu", lambda job, device: Walk(job, device, broken=1)
        )
    suite_store.folder(JOB.base).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is not beside it"):
        reproduce.repeat(reading, tmp_path / "again", "cpu", Walk)
    (reading / "record.json").unlink()
    with pytest.raises(UserError, match="no finished run"):
        reproduce.repeat(reading, tmp_path / "again", "cpu", Walk)


def test_a_users_method_is_repeated_from_its_copy(tmp_path: Path) -> None:
    """The plan's file may be gone by then; one that was changed since the plan is refused."""
    source = b"class Mine: ...\n"
    base = JOB.base.__class__(**{**vars(JOB.base), "source": hashlib.sha256(source).hexdigest()})
    job, suite_store = JOB._replace(base=base, readouts=()), Store(tmp_path / "results", "mine")
    paths = []

    def make(job: Any, device: Any) -> Walk:
        paths.append(job.source_path)
        return Walk(job, device)

    (outcome,) = execute(job, suite_store, ON_CPU, make, {base.source: b"class Changed: ...\n"})
    assert "has changed since the plan was made" in outcome.message
    execute(job, suite_store, ON_CPU, make, {base.source: source})
    assert set(paths) == {suite_store.folder(base) / "method.py"}
    assert reproduce.repeat(suite_store.folder(base), tmp_path / "again", "cpu", make).differences == ()


def test_the_commands(suite_store: Store, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = reproduce.repeat
    monkeypatch.setattr(reproduce, "repeat", partial(repeat, make=Walk))
    results = str(suite_store.root)
    assert main(["doctor", results]) == 0
    assert main(["rerun", JOB.base.run_id, "--check", "--results", results, "--device", "cpu"]) == 0
    assert "every bit of its record, arrays and trace is the same" in capsys.readouterr().out
    monkeypatch.setattr(reproduce, "repeat", partial(repeat, make=Other))
    folder = str(tmp_path / "kept")
    assert main(["rerun", JOB.base.run_id, "--out", folder, "--results", results, "--device", "cpu"]) == 1
    assert "DIFFERS  alphas" in capsys.readouterr().out
    assert list(Path(folder).rglob("record.json"))
    (suite_store.folder(JOB.base) / "trace.npz").unlink()
    assert main(["doctor", results]) == 1
    assert "2 runs looked at, 1 with something to say" in capsys.readouterr().out
