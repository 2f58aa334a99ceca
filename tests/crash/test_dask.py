"""Runs on the workers of a real dask scheduler, separate processes on this machine, one of them killed on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchharness.compute import executors
from benchharness.errors import UserError
from tests.support.commands import finish, killed_group, leftovers, machines, results, start, wait_for_epoch
from tests.support.tiny import install_images

pytest.importorskip("distributed")

MINE = '''
from benchharness import Method

class Mine(Method):
    """Shipped to the workers, which have never seen the folder that it is in."""
    tau = 0.5

    def expected(self):
        return (self.alpha / self.tau).softmax(-1)
'''
HERE = Path(__file__).parent
QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"}
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def dask(home: Path) -> Iterator[Start]:
    """Starts `dask scheduler` and `dask worker` processes, and ends them."""
    processes: list[subprocess.Popen[str]] = []
    folder = home / "somewhere"
    folder.mkdir()

    def begin(*words: str, **variables: str) -> "subprocess.Popen[str]":
        log = (home / f"dask-{len(processes)}.log").open("w")
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        env = os.environ | QUIET | variables
        process = subprocess.Popen(
            command, stdout=log, stderr=log, text=True, cwd=folder, env=env, start_new_session=True
        )
        log.close()
        processes.append(process)
        return process

    yield begin
    for process in reversed(processes):
        killed_group(process.pid, signal.SIGKILL)
        process.wait()


def scheduler(dask: Start, home: Path) -> str:
    """The address of a scheduler that was just started, on any free port."""
    file = home / "scheduler.json"
    dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().endswith("}")) and time.monotonic() < deadline:
        time.sleep(0.05)  # it is there before it is written
    return str(json.loads(file.read_text())["address"])


def worker(dask: Start, address: str, local: Path | None = None, **variables: str) -> "subprocess.Popen[str]":
    """A worker without a nanny, so that killing it is killing it, with a folder of its own and more `variables`."""
    words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
    return dask("worker", address, *words, *(("--local-directory", str(local)) if local else ()), **variables)


def square(number: int) -> int:
    return number * number


def deadly(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_no_scheduler_is_one_sentence() -> None:
    with pytest.raises(UserError, match="no dask scheduler answers at 'tpc:"):
        list(executors.cluster(square, {0: 1}, "tpc://127.0.0.1:1"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_that_kills_every_worker_fails_alone(home: Path, dask: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nanny starts workers anew; here they also know the tests, whose functions they are to call."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, HERE.parents[1]))))
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    address = scheduler(dask, home)
    dask("worker", address, "--nthreads", "1", "--nworkers", "2", "--no-dashboard", "--memory-limit", "0")
    found = dict(executors.cluster(deadly, {number: number for number in range(6)}, address))
    died = found.pop(2)
    assert isinstance(died, RuntimeError)
    assert "its process died" in str(died)
    assert found == {number: number**2 for number in (0, 1, 3, 4, 5)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_worker_costs_no_run_and_changes_no_bit(home: Path, dask: Start) -> None:
    (home / "mine.py").write_text(MINE)
    request = {"methods": f"ostr,{home}/mine.py", "seeds": "0-2", "settings": {"epochs": 12}}
    finish(start(home / "calm", **request))
    address = scheduler(dask, home)
    workers = [worker(dask, address) for _ in range(2)]
    runner = start(home / "results", executor="dask", scheduler=address, **request)
    wait_for_epoch(home / "results", 3, runs=2)
    workers[0].kill()
    finish(runner)
    assert results(home / "results") == results(home / "calm")
    assert sorted(len(machine["attempts"]) for machine in machines(home / "results"))[-2:] == [1, 2]
    assert leftovers(home / "results") == []
    assert len(list((home / "results").rglob("method.py"))) == 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_results_come_back_from_workers_that_share_no_folder(home: Path, dask: Start) -> None:
    """Workers in another working folder, with their own data and temporary folders; one is killed on the way."""
    (home / "mine.py").write_text(MINE)
    request = {"methods": f"ostr,{home}/mine.py", "seeds": "0-2", "settings": {"epochs": 12}}
    finish(start(home / "calm", **request))
    install_images(home / "theirs")
    address = scheduler(dask, home)
    places = [home / f"local-{number}" for number in range(2)]
    workers = [worker(dask, address, place, BENCHHARNESS_DATA=str(home / "theirs")) for place in places]
    runner = start(home / "results", executor="dask", scheduler=address, **{"return-results": True}, **request)
    wait_for_epoch(places[0], 3)
    assert not list((home / "results").rglob("trace.jsonl")), "it is written once it is done, by the command alone"
    workers[0].kill()
    finish(runner)
    assert results(home / "results") == results(home / "calm")
    assert [len(machine["attempts"]) for machine in machines(home / "results")] == [1] * 9
    assert leftovers(home / "results") == []
    assert not list((home / "results").rglob("checkpoint.pt"))
    assert not list(places[1].rglob("record.json"))
    assert len(list((home / "results").rglob("method.py"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"return-results": True}], ids=["shared folder", "returned"])
def test_a_worker_without_the_images_stops_the_command_with_a_sentence(
    home: Path, dask: Start, more: dict[str, bool]
) -> None:
    address = scheduler(dask, home)
    worker(dask, address, home / "local", BENCHHARNESS_DATA=str(home / "nothing"))
    told = finish(start(home / "results", "darts", executor="dask", scheduler=address, **more), code=2)
    assert "Traceback" not in told
    assert f"on the dask worker at {socket.gethostname()}: no images 'cifar10' in {home / 'nothing'}" in told
    assert "`benchharness data import PATH`" in told
    assert not list((home / "results").rglob("record.json"))
