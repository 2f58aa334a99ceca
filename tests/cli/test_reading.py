"""How often `run` reads the results folder."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchharness import cli
from benchharness.records import RunSpec
from benchharness.runs.worker import execute
from benchharness.store import Store, frame
from benchharness.training import completion
from tests.support.tiny import SETTINGS, Walk

COMMAND = ["run", "--methods", "darts,ostr", "--seeds", "0-1", "--dataset", "digits", "--jobs", "1", "--device", "cpu"]
SET = ["--quiet", "--suite", "mine", "--set", *(f"{key}={value}" for key, value in SETTINGS.items())]
build = import_module("benchharness.report.build")  # the package has a function of that name


def test_a_run_reads_its_folder_once_before_and_once_after(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders, statuses = list[Path](), Counter[str]()
    run_folders, status = frame.run_folders, Store.status

    def listing(root: Path) -> list[str]:
        folders.append(root)
        return run_folders(root)

    def counting(store: Store, spec: RunSpec) -> Any:
        statuses[spec.run_id] += 1
        return status(store, spec)

    monkeypatch.chdir(own_home)
    monkeypatch.setattr("benchharness.runs.runner.start_task", lambda task: execute(*task[:3], Walk))
    monkeypatch.setattr(completion, "complete", lambda *_: iter(()))
    monkeypatch.setattr(build, "write_report", lambda report, out, formats: out / "report.md")
    monkeypatch.setattr(build, "PARTS", {"What ran": lambda evidence: []})
    assert cli.main([*COMMAND, *SET]) == cli.DONE
    monkeypatch.setattr(frame, "run_folders", listing)
    monkeypatch.setattr(Store, "status", counting)
    assert cli.main([*COMMAND, *SET]) == cli.DONE
    assert folders == [Path("results", "mine")] * 2
    assert len(statuses) == 4
    assert set(statuses.values()) == {1}
