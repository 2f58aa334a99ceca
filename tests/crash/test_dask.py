"""Commands whose runs are made by the workers of a real dask scheduler: killed, without images, on disks that fail."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import finish, leftovers, machines, results, start, wait_for_epoch
from tests.support.dask import READ_ONLY, Cluster, cluster
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
PATIENT = "from benchharness.compute import cluster; cluster.UNFIT_SECONDS = 60"
"""The command waits until another worker has started, which on a busy machine takes more than a few seconds."""


@pytest.fixture
def dask(home: Path) -> Iterator[Cluster]:
    with cluster(home / "dask") as dask_cluster:
        yield dask_cluster


@pytest.mark.parametrize(
    "scratch_fails", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["shared", "returned"]
)
def test_a_disk_that_fails_one_worker_costs_no_run(home: Path, dask: Cluster, scratch_fails: bool) -> None:
    """The results folder, or the worker's own, is read-only for one of two; the other one makes its runs."""
    request = {"methods": "darts", "seeds": "0-2", "settings": {"epochs": 1}}
    path_part = "/benchharness-" if scratch_fails else str(home / "results")
    dask.worker("--name", "odd", preload=READ_ONLY.format(folder=path_part, error="EROFS"))
    more = {"return-results": True} if scratch_fails else {}
    runner = start(home / "results", executor="dask", scheduler=dask.address, before=PATIENT, **more, **request)
    assert runner.stderr is not None
    line = next(line for line in runner.stderr if "Read-only file system" in line)
    assert "odd at tcp://" in line
    assert "it gets no runs of this command" in line
    dask.worker()
    finish(runner)
    assert len(list((home / "results").rglob("record.json"))) == 3
    assert leftovers(home / "results") == []


def test_without_its_scheduler_a_command_ends_with_a_sentence_alone(home: Path, dask: Cluster) -> None:
    dask.worker()
    runner = start(home / "results", executor="dask", scheduler=dask.address, settings={"epochs": 400})
    wait_for_epoch(home / "results", 1)
    dask.scheduler.kill()
    output = finish(runner, code=2)
    assert "the dask scheduler went away; nothing finished is lost, and the same command resumes" in output
    assert "Traceback" not in output
    assert "distributed." not in output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_worker_costs_no_run_and_changes_no_bit(home: Path, dask: Cluster) -> None:
    (home / "mine.py").write_text(MINE)
    request = {"methods": f"ostr,{home}/mine.py", "seeds": "0-2", "settings": {"epochs": 12}}
    finish(start(home / "calm", **request))
    workers = [dask.worker() for _ in range(2)]
    runner = start(home / "results", executor="dask", scheduler=dask.address, **request)
    wait_for_epoch(home / "results", 3, runs=2)
    workers[0].kill()
    finish(runner)
    assert results(home / "results") == results(home / "calm")
    assert sorted(len(machine["attempts"]) for machine in machines(home / "results"))[-2:] == [1, 2]
    assert leftovers(home / "results") == []
    assert len(list((home / "results").rglob("method.py"))) == 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_results_come_back_from_workers_that_share_no_folder(home: Path, dask: Cluster) -> None:
    """Workers in another working folder, with their own data and temporary folders; one is killed on the way."""
    (home / "mine.py").write_text(MINE)
    request = {"methods": f"ostr,{home}/mine.py", "seeds": "0-2", "settings": {"epochs": 12}}
    finish(start(home / "calm", **request))
    install_images(home / "theirs")
    folders = [home / f"local-{number}" for number in range(2)]
    workers = [
        dask.worker("--local-directory", str(folder), BENCHHARNESS_DATA=str(home / "theirs")) for folder in folders
    ]
    runner = start(home / "results", executor="dask", scheduler=dask.address, **{"return-results": True}, **request)
    wait_for_epoch(folders[0], 3)
    assert not list((home / "results").rglob("trace.jsonl")), "it is written once it is done, by the command alone"
    workers[0].kill()
    finish(runner)
    assert results(home / "results") == results(home / "calm")
    assert [len(machine["attempts"]) for machine in machines(home / "results")] == [1] * 9
    assert leftovers(home / "results") == []
    assert not list((home / "results").rglob("checkpoint.pt"))
    assert not list(folders[1].rglob("record.json"))
    assert len(list((home / "results").rglob("method.py"))) == 3


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"return-results": True}], ids=["shared folder", "returned"])
def test_a_worker_without_the_images_stops_the_command_with_a_sentence(
    home: Path, dask: Cluster, more: dict[str, bool]
) -> None:
    dask.worker("--name", "bare", BENCHHARNESS_DATA=str(home / "nothing"))
    output = finish(start(home / "results", "darts", executor="dask", scheduler=dask.address, **more), code=2)
    assert "Traceback" not in output
    assert f"on {socket.gethostname()} cannot make them: no images 'cifar10' in {home / 'nothing'}" in output
    assert "no dask worker can make these runs: the dask worker bare at tcp://" in output
    assert "`benchharness data import PATH`" in output
    assert not list((home / "results").rglob("record.json"))
