"""Executors: every job's result once, whatever happens to the processes they run in."""

import io
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from benchharness.compute.executors import processes, serial

KILLER = 2


def square(number: int) -> int:
    return number * number


def fragile(number: int) -> int:
    """Kills its own process on one job, as running out of memory would."""
    if number == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number * number


def once(flag: tuple[int, str]) -> int:
    """Dies the first time, as a process picked by somebody's `kill` would."""
    number, path = flag
    if number == KILLER and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def failing(number: int) -> int:
    raise ValueError(f"job {number} is wrong")


def test_serial_keeps_the_order() -> None:
    assert list(serial(square, {3: 4, 1: 5})) == [(3, 16), (1, 25)]


def test_processes_return_every_result() -> None:
    assert dict(processes(square, dict(enumerate(range(5))), 2)) == {n: n * n for n in range(5)}


def test_a_job_that_kills_its_worker_does_not_lose_the_others() -> None:
    results = dict(processes(fragile, dict(enumerate(range(6))), 2))
    died = results.pop(KILLER)
    assert isinstance(died, RuntimeError)
    assert "its process died" in str(died)
    assert results == {n: n * n for n in range(6) if n != KILLER}


def test_a_worker_killed_by_chance_costs_no_job(tmp_path: Path) -> None:
    jobs = {n: (n, str(tmp_path / "flag")) for n in range(4)}
    assert dict(processes(once, jobs, 2)) == {n: n for n in range(4)}


@pytest.mark.parametrize("absence", ["none", "closed"])
def test_closed_streams_keep_no_process_from_starting(monkeypatch: pytest.MonkeyPatch, absence: str) -> None:
    for name in ("stdin", "stdout", "stderr"):
        stream = io.StringIO()
        stream.close()
        monkeypatch.setattr(sys, name, stream if absence == "closed" else None)
    get_reusable_executor().shutdown(wait=True)  # whose processes were started while the streams were open
    assert dict(processes(square, dict(enumerate(range(3))), 2)) == {n: n * n for n in range(3)}
    print("to nobody")
    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()


def test_an_error_in_a_job_is_the_callers_to_see() -> None:
    with pytest.raises(ValueError, match="job 0 is wrong"):
        list(processes(failing, {0: 0}, 2))


def test_a_worker_that_stopped_is_no_warning_of_joblibs() -> None:
    assert list(processes(str, {}, 2)) == []
    warnings.warn("A worker stopped while some jobs were given to the executor.", UserWarning, stacklevel=1)
