"""The runner: every run of a plan done once, resumed where it stopped, failures kept from spreading."""

import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import benchharness
from benchharness import store
from benchharness.compute import executors
from benchharness.errors import UserError
from benchharness.records import Status
from benchharness.runs import runner
from benchharness.runs.plan import Job
from benchharness.runs.runner import Outcome, RunOptions, devices, execute, perform, share
from benchharness.runs.suite import Suite
from benchharness.store import Store
from tests.support.tiny import ON_CPU, SETTINGS, Walk, install_images, jobs, results_of

CPU = torch.device("cpu")


@pytest.fixture
def suite_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "mine")


class Stopped(BaseException):
    """What a kill looks like from inside: nothing can be done about it."""


def stopping(epoch: int) -> Any:
    """A search that is killed in the middle of an epoch."""

    class Stopping(Walk):
        def run_epoch(self) -> dict[str, Any]:
            if self.epoch + 1 == epoch:
                raise Stopped
            return super().run_epoch()

    return Stopping


def states(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.spec.method, outcome.state) for outcome in outcomes]


def test_a_job_trains_once_and_reads_everything_out(suite_store: Store) -> None:
    (job,) = jobs("darts,ostr,darts+prune")
    run_ids = []

    def make(job: Job, device: torch.device) -> Walk:
        run_ids.append(Walk(job, device))
        return run_ids[-1]

    assert states(execute(job, suite_store, ON_CPU, make)) == [
        ("darts", "done"),
        ("ostr", "done"),
        ("darts+prune", "done"),
    ]
    assert len(store.trace(suite_store.folder(job.base))) == 3
    run_ids.clear()
    assert states(execute(job, suite_store, ON_CPU, make)) == [
        ("darts", "done"),
        ("ostr", "done"),
        ("darts+prune", "done"),
    ]
    assert run_ids == []


def test_reading_out_does_not_spoil_the_next_reading(suite_store: Store) -> None:
    """`Walk.read_out` changes the search; both readings must see it as training left it."""
    (job,) = jobs("darts,darts+prune")
    execute(job, suite_store, ON_CPU, Walk)
    records = [json.loads((suite_store.folder(spec) / "record.json").read_text()) for spec in job.specs]
    assert records[0]["arch"] == records[1]["arch"]


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_killed_and_resumed_equals_an_undisturbed_one(suite_store: Store, tmp_path: Path, epoch: int) -> None:
    (job,) = jobs("darts,ostr")
    undisturbed = Store(tmp_path / "calm", "mine")
    execute(job, undisturbed, ON_CPU, Walk)
    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, stopping(epoch))
    assert suite_store.status(job.base) == Status.STALE
    execute(job, suite_store, ON_CPU, Walk)
    assert results_of(suite_store, job) == results_of(undisturbed, job)
    attempts = json.loads((suite_store.folder(job.base) / "machine.json").read_text())["attempts"]
    assert [attempt["epoch"] for attempt in attempts] == [0, epoch - 1]


def test_lines_beyond_the_checkpoint_are_trained_again_once(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = jobs("darts")
    save = torch.save

    def dying(*args: Any) -> None:
        monkeypatch.setattr(torch, "save", save)
        raise Stopped

    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, stopping(2))
    monkeypatch.setattr(torch, "save", dying)
    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, Walk)
    assert len(store.trace(suite_store.folder(job.base))) == 2
    execute(job, suite_store, ON_CPU, Walk)
    assert store.trace(suite_store.folder(job.base))["epoch"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("damage", ["gone", "empty", "torn", "garbled", "another", "trace lost"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(suite_store: Store, tmp_path: Path, damage: str) -> None:
    (job,) = jobs("darts")
    undisturbed = Store(tmp_path / "calm", "mine")
    execute(job, undisturbed, ON_CPU, Walk)
    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, stopping(3))
    path = suite_store.folder(job.base) / "checkpoint.pt"
    content = path.read_bytes()
    if damage == "trace lost":
        (path.parent / "trace.jsonl").unlink()
    elif damage == "another":
        torch.save({"weights": 1}, path)
    elif damage == "garbled":  # in the midst of a tensor, which torch would load all the same
        at = content.index(torch.load(path)["state"]["alphas"][0].numpy().tobytes())
        path.write_bytes(content[:at] + bytes(8) + content[at + 8 :])
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "torn" else b"")
    assert states(execute(job, suite_store, ON_CPU, Walk)) == [("darts", "done")]
    assert results_of(suite_store, job) == results_of(undisturbed, job)
    assert store.trace(path.parent)["epoch"].tolist() == [1, 2, 3]


UNSOUND: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda content: [content],
    "None": lambda content: None,
    "a tensor": lambda content: torch.zeros(3),
    "no run id": lambda content: content["state"],
    "a state that is none": lambda content: content | {"state": 3},
    "nothing trained": lambda content: content | {"state": {}},
    "a run id of another type": lambda content: content | {"run_id": [1]},
    "another run's": lambda content: content | {"run_id": "0" * 16},
    "more than a checkpoint": lambda content: content | {"more": 1},
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_no_checkpoint_of_the_run_is_set_aside_and_the_run_begins_anew(
    suite_store: Store, tmp_path: Path, name: str
) -> None:
    (job,) = jobs("darts")
    undisturbed = Store(tmp_path / "calm", "mine")
    execute(job, undisturbed, ON_CPU, Walk)
    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, stopping(3))
    path = suite_store.folder(job.base) / "checkpoint.pt"
    torch.save(UNSOUND[name](torch.load(path)), path)
    unsound = path.read_bytes()
    (outcome,) = execute(job, suite_store, ON_CPU, Walk)
    assert outcome.state == "done"
    assert f"the search started again: {path} " in outcome.message
    assert outcome.message.endswith("was renamed to checkpoint.pt.unsound")
    assert path.with_name("checkpoint.pt.unsound").read_bytes() == unsound
    assert results_of(suite_store, job) == results_of(undisturbed, job)
    attempts = json.loads(path.with_name("machine.json").read_text())["attempts"]
    assert [attempt.get("anew", "") for attempt in attempts] == ["", outcome.message]


def test_another_seeds_checkpoint_is_refused(suite_store: Store, tmp_path: Path) -> None:
    """Put in the place of this run's, with its trace: it once went on into a record of another search."""
    first, second = jobs("darts", (0, 1))
    undisturbed = Store(tmp_path / "calm", "mine")
    execute(second, undisturbed, ON_CPU, Walk)
    for job in (first, second):
        with pytest.raises(Stopped):
            execute(job, suite_store, ON_CPU, stopping(3))
    folder, other_folder = (suite_store.folder(job.base) for job in (first, second))
    for name in ("checkpoint.pt", "trace.jsonl"):
        shutil.copy(folder / name, other_folder / name)
    (outcome,) = execute(second, suite_store, ON_CPU, Walk)
    assert f"is of run_id {first.base.run_id}, not {second.base.run_id}" in outcome.message
    assert results_of(suite_store, second) == results_of(undisturbed, second)


def test_a_checkpoint_is_loaded_without_running_its_code(suite_store: Store, tmp_path: Path) -> None:
    (job,) = jobs("darts")
    with pytest.raises(Stopped):
        execute(job, suite_store, ON_CPU, stopping(2))

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "executed",)

    torch.save(Evil(), suite_store.folder(job.base) / "checkpoint.pt")
    assert states(execute(job, suite_store, ON_CPU, Walk)) == [("darts", "done")]
    assert not (tmp_path / "executed").exists()


def test_a_supernet_without_checkpoint_is_retrained_for_a_later_reading(suite_store: Store) -> None:
    (first,), (second,) = jobs("darts"), jobs("darts,ostr")
    execute(first, suite_store, ON_CPU, Walk)
    folder = suite_store.folder(first.base)
    (folder / "checkpoint.pt").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert states(execute(second, suite_store, ON_CPU, Walk)) == [("darts", "done"), ("ostr", "done")]
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_supernet_that_comes_out_differently_is_not_read_out(suite_store: Store) -> None:
    (first,), (second,) = jobs("darts"), jobs("darts,ostr")
    execute(first, suite_store, ON_CPU, Walk)
    (suite_store.folder(first.base) / "checkpoint.pt").unlink()

    class OtherMachine(Walk):
        def run_epoch(self) -> dict[str, Any]:
            line = super().run_epoch()
            self.alphas[-1] = self.alphas[-1] + 1e-6
            return line

    outcomes = execute(second, suite_store, ON_CPU, OtherMachine)
    assert states(outcomes) == [("darts", "done"), ("ostr", "failed")]
    assert "epoch 1 of the supernet differs" in outcomes[1].message
    assert not (suite_store.folder(first.base) / "failure.json").exists()
    assert suite_store.status(second.readouts[0]) == Status.ABSENT
    assert suite_store.status(second.base) == Status.DONE


def test_a_failure_is_recorded_and_tried_again(suite_store: Store) -> None:
    (job,) = jobs("darts,ostr")
    outcomes = execute(job, suite_store, ON_CPU, lambda job, device: Walk(job, device, broken=3))
    assert states(outcomes) == [("darts", "failed"), ("ostr", "failed")]
    assert outcomes[0].message == "RuntimeError: diverged"
    assert suite_store.status(job.base) == Status.FAILED
    assert states(execute(job, suite_store, ON_CPU, Walk)) == [("darts", "done"), ("ostr", "done")]
    assert not (suite_store.folder(job.base) / "failure.json").exists()


def test_a_failing_reading_does_not_take_the_others_along(suite_store: Store) -> None:
    class Picky(Walk):
        def read_out(self, spec: Any, file: Path | None = None) -> Any:
            if spec.method == "ostr":
                raise ValueError("no such cell")
            return super().read_out(spec, file)

    (job,) = jobs("darts,ostr,darts+prune")
    assert states(execute(job, suite_store, ON_CPU, Picky)) == [
        ("darts", "done"),
        ("ostr", "failed"),
        ("darts+prune", "done"),
    ]
    assert suite_store.status(job.readouts[0]) == Status.FAILED


def test_a_full_disk_fails_the_run_and_not_the_runner(suite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = jobs("darts")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchharness.io.files.append_line", full)
    monkeypatch.setattr("benchharness.store.run_folder.Run.fail", full)
    (outcome,) = execute(job, suite_store, ON_CPU, Walk)
    assert outcome.state == "failed"
    assert "No space left on device" in outcome.message
    monkeypatch.undo()
    assert states(execute(job, suite_store, ON_CPU, Walk)) == [("darts", "done")]


def test_a_run_elsewhere_is_left_alone(suite_store: Store) -> None:
    (job,) = jobs("darts,ostr")
    with suite_store.claim(job.base):
        assert states(execute(job, suite_store, ON_CPU, Walk)) == [("darts", "busy"), ("ostr", "busy")]


def test_runs_elsewhere_are_waited_for(suite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process finishes while we sleep; the plan is then done, and nothing is done twice."""
    (job,) = jobs("darts")
    monkeypatch.setattr(runner, "_fetch", lambda jobs: None)
    lock = suite_store.claim(job.base)
    lock.__enter__()
    pauses = []

    def sleep(seconds: float) -> None:
        if not pauses:
            lock.__exit__(None, None, None)
        pauses.append(seconds)

    monkeypatch.setattr("benchharness.runs.runner.time.sleep", sleep)
    monkeypatch.setattr(
        "benchharness.runs.runner.start_task", lambda task: execute(task.job, task.store, task.options, Walk)
    )
    assert states(list(perform([job], suite_store, RunOptions(device="cpu")))) == [("darts", "done")]
    assert pauses[0] > 0


def test_runs_that_find_no_memory_beside_others_go_on_with_half_as_many(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_time: list[int] = []

    class Greedy(Walk):
        """A search that needs more memory than four at a time leave it, and finds so in its second epoch."""

        def run_epoch(self) -> dict[str, Any]:
            if at_a_time[-1] > 2 and self.epoch == 1 and self.spec.seed:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().run_epoch()

    def processes(work: Any, jobs_left: dict[int, Any], count: int) -> Any:
        at_a_time.append(count)
        assert all(task.options.shares_device for task in jobs_left.values())
        yield from executors.serial(lambda task: execute(task.job, task.store, task.options, Greedy), jobs_left)

    monkeypatch.setattr("benchharness.runs.runner.executors.processes", processes)
    monkeypatch.setattr("benchharness.runs.runner.load_images", lambda name: None)
    plan = jobs("darts", seeds=(0, 1, 2))
    outcomes = list(perform(plan, suite_store, RunOptions(jobs=5, device="cpu")))
    assert at_a_time == [5, 2]
    assert [(outcome.spec.seed, outcome.state) for outcome in outcomes] == [
        (0, "done"), (1, "crowded"), (2, "crowded"), (1, "done"), (2, "done")
    ]  # fmt: skip
    assert len(store.trace(suite_store.folder(plan[1].base))) == 3, "it went on from its checkpoint"
    assert not list(suite_store.path.rglob("failure.json"))


def test_a_run_that_finds_no_memory_though_it_is_alone_has_failed(suite_store: Store) -> None:
    class Huge(Walk):
        def run_epoch(self) -> dict[str, Any]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    (job,) = jobs()
    assert states(execute(job, suite_store, ON_CPU, Huge)) == [("darts", "failed")]
    assert states(execute(job, suite_store, ON_CPU._replace(jobs=2), Huge)) == [("darts", "crowded")]


def test_a_reading_that_finds_no_memory_is_made_again(suite_store: Store) -> None:
    class Wide(Walk):
        def read_out(self, spec: Any, file: Path | None = None) -> Any:
            if spec.method == "ostr" and others_run:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().read_out(spec, file)

    others_run = True
    (job,) = jobs("darts,ostr")
    assert states(execute(job, suite_store, ON_CPU._replace(jobs=2), Wide)) == [("darts", "done"), ("ostr", "crowded")]
    others_run = False
    assert states(execute(job, suite_store, ON_CPU, Wide)) == [("darts", "done"), ("ostr", "done")]


def test_arithmetic_that_the_device_lacks_is_refused_before_any_run(suite_store: Store) -> None:
    with pytest.raises(UserError, match=r"tf32.*'cpu'; take float32 or bf16"):
        list(perform(jobs("darts", numerics="tf32"), suite_store, RunOptions(device="cpu")))
    assert not suite_store.path.exists()


def test_devices() -> None:
    if not torch.cuda.is_available():
        assert devices("auto", 2) == ["cpu"]
        for requested in ("cuda", "cuda:0"):
            with pytest.raises(UserError, match="is not there"):
                devices(requested, 1)
    assert devices("cpu", 4) == ["cpu"]
    with pytest.raises(UserError, match="did you mean 'cuda'"):
        devices("cudda", 1)
    with pytest.raises(UserError, match="jobs=0"):
        devices("cpu", 0)


def test_missing_images_are_one_error_before_any_run(own_home: Path) -> None:
    with pytest.raises(UserError, match="benchharness data import"):
        benchharness.run("darts", "0", dataset="cifar10", changes=SETTINGS, out=own_home / "results", device="cpu")
    assert not (own_home / "results").exists()


def test_real_searches_end_to_end(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    monkeypatch.setattr("benchharness.compute.environment.cores", lambda: 1)
    install_images(own_home / "data")

    def run(out: str) -> Any:
        return benchharness.run(
            ["ostr", "random"], [3], dataset="cifar10", changes=SETTINGS, out=own_home / out, device="cpu"
        )

    runs = run("first")
    frame = runs.frame
    assert frame[["method", "status"]].to_numpy().tolist() == [["darts", "done"], ["ostr", "done"], ["random", "done"]]
    assert frame["suite"].unique().tolist() == [Suite(dataset="cifar10", protocol="cpu", settings=SETTINGS).name]
    assert runs.long["images_label"].str.startswith("CIFAR-10 (other pixels, 96 + 16 images)").all()
    arrays = store.arrays(frame["path"][1])
    assert arrays["alphas"].shape == (3, 6, 5)
    assert np.isfinite(arrays["alphas"]).all()
    repeat = run("second").frame
    for mine, other in zip(frame["path"], repeat["path"], strict=True):
        for name in ("spec.json", "record.json", "trace.npz"):
            assert (mine / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    ("means", "word"),
    [
        (RunOptions(executor="slurm"), "unknown executor 'slurm'.* local, dask"),
        (RunOptions(executor="dask"), "go together"),
        (RunOptions(scheduler="tcp://127.0.0.1:8786"), "go together"),
        (RunOptions(threads=0), "threads=0 is out of range"),
        (RunOptions(timeout=float("nan")), "timeout=nan is out of range"),
        (RunOptions(jobs=0), "jobs=0 is out of range"),
    ],
)
def test_means_that_cannot_be_are_refused(tmp_path: Path, means: RunOptions, word: str) -> None:
    with pytest.raises(UserError, match=word):
        list(perform([], Store(tmp_path, "mine"), means))
    with pytest.raises(UserError, match="unknown argument of run 'thread'; did you mean 'threads'"):
        benchharness.run("darts", "0", thread=2)


def test_shards_are_disjoint_and_make_up_the_plan() -> None:
    plan = jobs("darts,snas", tuple(range(5)))
    shards = [share(plan, f"{shard}/3") for shard in (1, 2, 3)]
    assert sorted(job.base.run_id for shard in shards for job in shard) == sorted(job.base.run_id for job in plan)
    assert [len(shard) for shard in shards] == [4, 3, 3]
    for misspelt in ("0/3", "4/3", "1", "a/b", "-1/3", "1/3/5", ""):
        with pytest.raises(UserError, match="write i/n with i from 1 to n"):
            share(plan, misspelt)


def test_a_run_keeps_the_threads_it_was_begun_with(suite_store: Store) -> None:
    """Sums depend on how they are split among threads: a resumed run must split them as before."""
    (job,) = jobs("darts")
    thread_counts = []

    class Seeing(Walk):
        def run_epoch(self) -> dict[str, Any]:
            thread_counts.append(torch.get_num_threads())
            return super().run_epoch()

    try:
        with pytest.raises(Stopped):
            execute(job, suite_store, ON_CPU._replace(threads=2), stopping(2))
        execute(job, suite_store, ON_CPU, Seeing)
    finally:
        torch.set_num_threads(1)
    assert thread_counts == [2, 2]
    machine = json.loads((suite_store.folder(job.base) / "machine.json").read_text())
    assert machine["threads"] == 2


def test_processor_seconds_are_recorded_if_every_epoch_has_them(suite_store: Store) -> None:
    """Epochs from before an update of the package lack them, as those of `Walk` do; a part of the sum would mislead."""
    job, other = *jobs("darts,ostr"), *jobs("snas")
    execute(job, suite_store, ON_CPU)
    for spec in job.specs:
        machine = json.loads((suite_store.folder(spec) / "machine.json").read_text())
        assert 0 < machine["train_processor_seconds"] < 600
        assert 0 < machine["selection_processor_seconds"] < 600
    execute(other, suite_store, ON_CPU, Walk)
    machine = json.loads((suite_store.folder(other.base) / "machine.json").read_text())
    assert "train_processor_seconds" not in machine
    assert machine["selection_processor_seconds"] > 0


def test_results_that_are_not_here_are_no_results(suite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker elsewhere that does not share the folder has written to one of its own."""
    (job,) = jobs("darts")
    monkeypatch.setattr(runner, "_fetch", lambda jobs: None)
    monkeypatch.setattr(runner, "start_task", lambda task: [Outcome(job.base, "done")])
    (outcome,) = perform([job], suite_store, RunOptions(device="cpu"))
    assert outcome.state == "failed"
    assert "share that folder" in outcome.message


def test_a_hang_is_told_as_one(suite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = jobs("darts,ostr")
    with suite_store.claim(job.base) as run:
        assert run is not None
        run.hung.write_text("Timeout!\n  File 'mine.py', line 7 in draw\n")
    outcomes = runner._outcomes(job, RuntimeError("its process died"), suite_store, 5.0)
    assert {outcome.message for outcome in outcomes} == {"it hung: no epoch or reading ended in 5 s"}
    failure = json.loads((suite_store.folder(job.base) / "failure.json").read_text())
    assert failure["type"] == "TimeoutError"
    assert "line 7 in draw" in failure["traceback"]


def test_a_search_that_found_no_memory_is_gone_before_its_memory_is_given_back(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Walk]] = []
    counts: list[int] = []

    class Wide(Walk):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.ring = self
            alive.append(weakref.ref(self))

        def run_epoch(self) -> dict[str, Any]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: counts.append(sum(reference() is not None for reference in alive))
    )
    (job,) = jobs()
    assert states(execute(job, suite_store, ON_CPU._replace(jobs=2), Wide)) == [("darts", "crowded")]
    assert counts == [0]


def test_a_reading_that_found_no_memory_is_gone_before_its_memory_is_given_back(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[weakref.ref[Walk]] = []
    counts: list[int] = []

    class Wide(Walk):
        def read_out(self, spec: Any, file: Path | None = None) -> Any:
            alive.append(weakref.ref(self))
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: counts.append(sum(reference() is not None for reference in alive))
    )
    (job,) = jobs()
    assert states(execute(job, suite_store, ON_CPU._replace(jobs=2), Wide)) == [("darts", "crowded")]
    assert counts == [0]
