"""Searches that pause at the end of an epoch, after so many of them or when the time is up, and go on another time."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchharness import cli, store
from benchharness.errors import UserError
from benchharness.records import Status
from benchharness.runs.runner import RunOptions, execute
from benchharness.store import Store
from tests.support.tiny import ON_CPU, SETTINGS, Walk, install_images, jobs, results_of

SMALL = [f"{key}={value}" for key, value in SETTINGS.items()]


@pytest.fixture
def suite_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "mine")


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_paused_run_shows_what_it_has_and_equals_an_undisturbed_one_in_the_end(
    suite_store: Store, tmp_path: Path, epochs: int
) -> None:
    (job,) = jobs("darts,ostr")
    outcomes = execute(job, suite_store, ON_CPU._replace(epochs_now=epochs), Walk)
    assert [(outcome.state, outcome.message) for outcome in outcomes] == 2 * [
        ("paused", f"{epochs} of 3 epochs are trained")
    ]
    folder = suite_store.folder(job.base)
    assert suite_store.status(job.base) == Status.STALE
    assert store.arrays(folder)["alphas"].shape == (epochs, 6, 5)
    assert store.trace(folder)["epoch"].tolist() == list(range(1, epochs + 1))
    assert execute(job, suite_store, ON_CPU._replace(epochs_now=epochs), Walk) == outcomes, "again it has nothing to do"
    assert [outcome.state for outcome in execute(job, suite_store, ON_CPU, Walk)] == ["done", "done"]
    undisturbed = Store(tmp_path / "whole", "mine")
    execute(job, undisturbed, ON_CPU, Walk)
    assert results_of(suite_store, job) == results_of(undisturbed, job)
    first_alphas = store.arrays(undisturbed.folder(job.base))["alphas"][:epochs]
    assert np.array_equal(first_alphas, store.arrays(folder)["alphas"][:epochs])


def test_a_pause_behind_the_last_epoch_is_none(suite_store: Store) -> None:
    (job,) = jobs()
    assert [outcome.state for outcome in execute(job, suite_store, ON_CPU._replace(epochs_now=3), Walk)] == ["done"]


def test_arrays_of_a_pause_do_not_outlive_its_epochs(suite_store: Store) -> None:
    (job,) = jobs()
    execute(job, suite_store, ON_CPU._replace(epochs_now=2), Walk)
    execute(job, suite_store, ON_CPU._replace(epochs_now=1), lambda job, device: Walk(job, device, images="b" * 64))
    assert store.arrays(suite_store.folder(job.base))["alphas"].shape == (1, 6, 5)


class Slow(Walk):
    """An epoch takes an hour, by the clock that the worker looks at."""

    clock = 0.0

    def run_epoch(self) -> dict[str, Any]:
        Slow.clock += 3600
        return super().run_epoch()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    Slow.clock = 1e9
    monkeypatch.setattr("benchharness.runs.worker.time.time", lambda: Slow.clock)


@pytest.mark.parametrize(("hours", "epochs"), [(0.5, 1), (1.5, 1), (2.5, 2)])
@pytest.mark.usefixtures("clock")
def test_no_epoch_is_begun_that_would_end_too_late_but_one(suite_store: Store, hours: float, epochs: int) -> None:
    (job,) = jobs("darts,ostr")
    outcomes = execute(job, suite_store, ON_CPU._replace(until=Slow.clock + 3600 * hours), Slow)
    assert {outcome.message for outcome in outcomes} == {f"{epochs} of 3 epochs are trained"}


@pytest.mark.usefixtures("clock")
def test_when_the_time_is_up_nothing_more_is_begun(suite_store: Store) -> None:
    first, second = jobs("darts,ostr", (0, 1))
    until = Slow.clock + 3600 * 3
    assert [outcome.state for outcome in execute(first, suite_store, ON_CPU._replace(until=until - 1), Slow)] == 2 * [
        "paused"
    ]
    assert [outcome.state for outcome in execute(first, suite_store, ON_CPU._replace(until=until + 1), Slow)] == 2 * [
        "done"
    ]
    Slow.clock = until + 2
    assert [outcome.state for outcome in execute(second, suite_store, ON_CPU._replace(until=until), Slow)] == 2 * [
        "paused"
    ]
    assert not suite_store.folder(second.base).exists()
    (job,) = jobs("darts,ostr,darts+prune")
    later = execute(job, suite_store, ON_CPU._replace(until=Slow.clock + 1), Slow)
    assert [outcome.state for outcome in later] == 3 * ["done"], "a reading begins as long as there is time"


def test_a_pause_needs_the_checkpoint_here() -> None:
    means = RunOptions(executor="dask", scheduler="tcp://x:1", return_results=True, epochs_now=2)
    with pytest.raises(UserError, match="does not keep checkpoints, so runs paused"):
        means.checked()
    with pytest.raises(UserError, match="epochs_now=-1 is out of range"):
        RunOptions(epochs_now=-1).checked()


@pytest.fixture
def work(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(own_home)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    install_images(own_home / "data")
    return own_home


def test_the_commands_tell_of_a_pause_and_go_on(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["run", "--methods", "darts", "--seeds", "0", "--dataset", "cifar10", "--jobs", "1", "--set", *SMALL]
    assert cli.main([*line, "--epochs-now", "1", "--dry-run"]) == cli.DONE
    assert "each supernet pauses after the first 1 of 3 epochs, and can be resumed later" in capsys.readouterr().out
    assert cli.main([*line, "--epochs-now", "1"]) == cli.MORE == 75
    streams = capsys.readouterr()
    assert "darts seed 0  PAUSED  1 of 3 epochs are trained" in streams.out
    assert "more to do: 1 of 1 runs pause; the command without --epochs-now resumes them" in streams.err
    assert not (work / "reports").exists()
    assert cli.main([*line, "--dry-run"]) == cli.DONE
    assert " 1/3" in capsys.readouterr().out
    assert cli.main([*line, "--for", "1h"]) == cli.DONE
    assert (work / "reports").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("540s", 540), ("540", 540), ("9m", 540), ("1h30m", 5400), ("2h0m5s", 7205)]
)
def test_a_time_is_spelt_as_people_do(text: str, seconds: float) -> None:
    from benchharness.cli.run import _until

    assert _until(text) - time.time() == pytest.approx(seconds, abs=5)


@pytest.mark.parametrize("text", ["soon", "0s", "-5", "5 minutes", "s", "1.5h"])
def test_what_is_no_time_is_refused(work: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--dataset", "cifar10", f"--for={text}"]) == cli.REFUSED
    assert f"--for {text!r} is no time; write 540s, 9m or 1h30m" in capsys.readouterr().err
