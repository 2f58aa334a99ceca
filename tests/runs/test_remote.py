"""Runs made in a store of their own and carried back: the same files as those made in place, each written once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchharness import store
from benchharness.errors import UserError
from benchharness.runs.plan import Job
from benchharness.runs.remote import RemoteResult, execute_remotely, finished_files, store_results
from benchharness.runs.runner import RunOptions, execute
from benchharness.runs.worker import Outcome
from benchharness.store import Store, transfer
from tests.support.commands import results
from tests.support.tiny import ON_CPU, Walk, jobs

(JOB,) = jobs("darts,ostr")


def store_at(root: Path, name: str) -> Store:
    return Store(root / name, "mine")


def run_elsewhere(suite_store: Store, job: Job = JOB, failing_epoch: int = -1) -> RemoteResult:
    files = finished_files(job, suite_store)
    return execute_remotely(job, "mine", ON_CPU, {}, files, make=lambda job, device: Walk(job, device, failing_epoch))


def states(outcomes: list[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def test_runs_that_came_back_are_those_made_in_place(tmp_path: Path) -> None:
    local, undisturbed = store_at(tmp_path, "here"), store_at(tmp_path, "calm")
    remote = run_elsewhere(local)
    assert not local.root.exists(), "they were made elsewhere"
    assert states(list(store_results(remote, local))) == ["done", "done"]
    execute(JOB, undisturbed, ON_CPU, Walk)
    assert results(local.root) == results(undisturbed.root)
    assert not list(local.root.rglob("checkpoint.pt"))
    assert not list(local.root.rglob("*.lock"))
    assert store.read(local.root)["status"].tolist() == ["done", "done"]


def test_what_is_done_already_goes_with_the_job_and_is_not_written_again(tmp_path: Path) -> None:
    local = store_at(tmp_path, "here")
    execute(JOB._replace(readouts=()), local, ON_CPU, Walk)
    folder = local.folder(JOB.base)
    (folder / "checkpoint.pt").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    remote = run_elsewhere(local)
    assert set(remote.files_by_run) == {JOB.readouts[0].run_id}
    assert states(list(store_results(remote, local))) == ["done", "done"]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_supernet_that_comes_out_otherwise_elsewhere_is_not_read_out(tmp_path: Path) -> None:
    class Other(Walk):
        def run_epoch(self) -> dict[str, object]:
            line = super().run_epoch()
            self.alphas[-1] = self.alphas[-1] + 1
            return line

    local = store_at(tmp_path, "here")
    execute(JOB._replace(readouts=()), local, ON_CPU, Walk)
    remote = execute_remotely(JOB, "mine", ON_CPU, {}, finished_files(JOB, local), make=Other)
    outcomes = list(store_results(remote, local))
    assert states(outcomes) == ["done", "failed"]
    assert "differs from the recorded one" in outcomes[1].message


def test_the_first_to_come_back_counts(tmp_path: Path) -> None:
    local = store_at(tmp_path, "here")
    first, second = run_elsewhere(local), run_elsewhere(local)
    assert states(list(store_results(first, local))) == ["done", "done"]
    before = {path: path.stat().st_mtime_ns for path in local.root.rglob("*.*")}
    assert states(list(store_results(second, local))) == ["done", "done"]
    assert {path: path.stat().st_mtime_ns for path in local.root.rglob("*.*")} == before


def test_a_failure_comes_back_with_its_trail_and_is_tried_again(tmp_path: Path) -> None:
    local = store_at(tmp_path, "here")
    outcomes = list(store_results(run_elsewhere(local, failing_epoch=2), local))
    assert states(outcomes) == ["failed", "failed"]
    frame = store.read(local.root)
    assert frame["status"].tolist() == ["failed"]
    assert "run_epoch" in frame["failure"][0]["traceback"]
    assert states(list(store_results(run_elsewhere(local), local))) == ["done", "done"]
    assert not list(local.root.rglob("failure.json"))


def test_what_comes_back_damaged_or_too_large_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = store_at(tmp_path, "here")
    remote = run_elsewhere(local)
    damaged_files = {run_id: {**files, "trace.npz": b""} for run_id, files in remote.files_by_run.items()}
    outcomes = list(store_results(remote._replace(files_by_run=damaged_files), local))
    assert states(outcomes) == ["failed", "failed"]
    assert "trace.npz that came back" in outcomes[0].message
    assert store.read(local.root)["status"].tolist() == ["failed", "failed"]
    monkeypatch.setattr(transfer, "LIMIT_BYTES", 100)
    assert "more than the 100 that are carried" in next(store_results(run_elsewhere(local), local)).message


def test_a_run_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    local = store_at(tmp_path, "here")
    remote = run_elsewhere(local)
    with local.claim(JOB.base):
        assert states(list(store_results(remote, local))) == ["busy", "done"]


def test_the_arrays_of_a_walk_survive_the_way(tmp_path: Path) -> None:
    local = store_at(tmp_path, "here")
    list(store_results(run_elsewhere(local), local))
    walk = Walk(JOB, torch.device("cpu"))
    while not walk.finished:
        walk.run_epoch()
    alphas = store.arrays(local.folder(JOB.base))["alphas"]
    np.testing.assert_array_equal(alphas, walk.arrays()["alphas"])


def test_returning_results_takes_dask() -> None:
    with pytest.raises(UserError, match="--return-results goes with --executor dask"):
        RunOptions(return_results=True).checked()
