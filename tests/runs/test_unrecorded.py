"""Where steps cannot be recorded, a run goes on without, in a process that did not try."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchharness.runs import runner, worker
from benchharness.runs.plan import Job
from benchharness.runs.runner import RunOptions, perform
from benchharness.runs.worker import Outcome, execute
from benchharness.search.cuda_graphs import NotRecorded
from benchharness.store import Store
from tests.support.tiny import Walk, jobs

RECORDED = RunOptions(device="cuda", compile="off", graphs=True)


class Graphs(Walk):
    """A search of which `nowhere` says in which epoch, or in which reading, recording fails."""

    nowhere: int | str = 1
    begun: list[bool]

    def __init__(self, job: Job, device: torch.device, graphs: bool = False) -> None:
        super().__init__(job, device)
        self.graphs = graphs
        Graphs.begun.append(graphs)

    def run_epoch(self) -> dict[str, Any]:
        if self.graphs and self.epoch == Graphs.nowhere:
            raise NotRecorded("no CUDA graph can hold a step of Darts (not permitted)")
        return super().run_epoch()

    def read_out(self, spec: Any, file: Path | None = None) -> Any:
        if self.graphs and spec.method == Graphs.nowhere:
            raise NotRecorded("no CUDA graph can hold a step of Darts (not permitted)")
        return super().read_out(spec, file)


@pytest.fixture
def suite_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    Graphs.begun = []
    monkeypatch.setattr(worker, "_UNFIT", [])
    monkeypatch.setattr(worker, "devices", lambda requested, jobs: [requested])
    monkeypatch.setattr(worker, "name_of", lambda device: device)
    monkeypatch.setattr(worker.diagnostics, "peak_memory_bytes", lambda device: 0)
    return Store(tmp_path / "results", "mine")


def states(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.spec.method, outcome.state) for outcome in outcomes]


@pytest.mark.parametrize("nowhere", [0, 2])
def test_a_run_goes_on_without_graphs_in_another_process(
    suite_store: Store, nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graphs, "nowhere", nowhere)
    job, other = jobs(seeds=(0, 1))
    (first,) = execute(job, suite_store, RECORDED, Graphs)
    assert first.state == "afresh"
    assert "no CUDA graph can hold a step" in first.message
    assert states(execute(other, suite_store, RECORDED, Graphs)) == [("darts", "afresh")], (
        "this process is not used any more"
    )
    worker._UNFIT.clear()  # another process
    assert states(execute(job, suite_store, RECORDED, Graphs)) == [("darts", "done")]
    assert Graphs.begun[0]
    assert not Graphs.begun[-1]
    machine = json.loads((suite_store.folder(job.base) / "machine.json").read_text())
    assert "graphs" not in machine
    assert [attempt["epoch"] for attempt in machine["attempts"]] == [0, nowhere, nowhere]


def test_a_reading_goes_on_without_graphs_and_its_supernet_stays(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graphs, "nowhere", "ostr")
    (job,) = jobs("darts,ostr")
    assert states(execute(job, suite_store, RECORDED, Graphs)) == [("darts", "done"), ("ostr", "afresh")]
    worker._UNFIT.clear()
    assert states(execute(job, suite_store, RECORDED, Graphs)) == [("darts", "done"), ("ostr", "done")]


def test_the_plan_goes_on_in_fresh_processes(suite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Graphs, "nowhere", 1)
    rounds: list[int] = []

    def fresh(work: Any, jobs_left: dict[int, Any], count: int) -> Any:
        worker._UNFIT.clear()
        rounds.append(len(jobs_left))
        return runner.executors.serial(work, jobs_left)

    monkeypatch.setattr(runner, "devices", lambda requested, jobs: ["cuda"])
    monkeypatch.setattr(runner, "load_images", lambda name: None)
    monkeypatch.setattr(runner, "check_job", lambda *given: None)
    monkeypatch.setattr(runner.executors, "new_processes", fresh)
    monkeypatch.setattr(runner, "start_task", lambda task: execute(task.job, task.store, task.options, Graphs))
    outcomes = list(perform(jobs(seeds=(0, 1)), suite_store, RECORDED))
    assert [outcome.state for outcome in outcomes] == ["afresh", "afresh", "done", "afresh", "done"]
    assert rounds == [2, 1]


def square(number: int) -> int:
    return number * number


def test_fresh_processes_do_their_work() -> None:
    assert dict(runner.executors.new_processes(square, {0: 2, 1: 3}, 1)) == {0: 4, 1: 9}
