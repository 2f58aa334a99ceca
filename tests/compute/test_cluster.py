"""Workers of a real dask scheduler, each a process here: what is wrong with one is told, and others do its jobs."""

import errno
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchharness.compute import cluster
from benchharness.errors import UserError
from tests.support.dask import READ_ONLY, ROOT, WITHOUT_PACKAGE, Cluster, other_package
from tests.support.dask import cluster as start_cluster
from tests.support.errands import (
    KILLER,
    deadly,
    killed_at_the_end,
    killed_midway,
    make_folder,
    slow,
    square,
    stopped_at_the_end,
)

pytest.importorskip("distributed")

NUMBERS = {number: number for number in range(6)}
SQUARES = {number: number * number for number in NUMBERS}
CHANGED = ("errors.py", "class UserError", "class  UserError")


@pytest.fixture
def dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(cluster, "SAY_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "UNFIT_SECONDS", 1.0)
    monkeypatch.setattr(cluster, "POLL_SECONDS", 0.2)
    with start_cluster(tmp_path / "dask") as dask_cluster:
        yield dask_cluster


@pytest.fixture
def sentences() -> list[str]:
    return []


def rules(sentences: list[str], patience: float = 60, any_source: bool = False) -> cluster.Rules:
    return cluster.Rules(patience, any_source, sentences.append)


def replacing(dask: Cluster, sentences: list[str], name: str = "first") -> cluster.Rules:
    """Rules by which another worker comes once the one called `name` is given up, and no sooner."""

    def tell(sentence: str) -> None:
        sentences.append(sentence)
        if f"{name} at tcp://" in sentence:
            dask.worker("--name", "second")

    return cluster.Rules(60, tell=tell)


def test_no_scheduler_is_one_sentence() -> None:
    with pytest.raises(UserError, match="no dask scheduler answers at 'tpc:"):
        list(cluster.cluster(square, {0: 1}, "tpc://127.0.0.1:1"))


def test_without_workers_a_line_says_so_and_the_wait_is_bounded(dask: Cluster, sentences: list[str]) -> None:
    with pytest.raises(UserError, match=r"0 dask workers; waiting for one .* and none within 2 s \(--timeout\)"):
        list(cluster.cluster(square, NUMBERS, dask.address, rules(sentences, patience=2)))
    assert sentences == ["0 dask workers; waiting for one that can make runs"]


def test_a_worker_that_comes_later_does_the_work(dask: Cluster, sentences: list[str]) -> None:
    jobs = cluster.cluster(square, NUMBERS, dask.address, rules(sentences))
    dask.worker()
    assert dict(jobs) == SQUARES


UNFIT = {
    "without the package": (
        WITHOUT_PACKAGE,
        ("", "", ""),
        r"cannot load benchharness \(ModuleNotFoundError: import of",
    ),
    "without a library": ("import sys; sys.modules['tests.support'] = None", ("", "", ""), "lacks what .* needs"),
    "another version": ("", ("__init__.py", '__version__ = "', '__version__ = "0.'), "has benchharness 0.0.1.0, here"),
    "a version that cannot say": (
        "",
        ("compute/environment.py", "def source_sha256", "def other"),
        "no attribute",
    ),
    "a broken package": ("", ("__init__.py", "__all__ =", "__all__"), r"cannot load benchharness \(NameError"),
    "another source": ("", CHANGED, r"has another source of benchharness \(sha256 [0-9a-f]{16}, here [0-9a-f]{16}\)"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_worker_is_named_with_what_it_lacks(
    dask: Cluster, sentences: list[str], tmp_path: Path, kind: str
) -> None:
    preload, change, reason = UNFIT[kind]
    path = other_package(tmp_path, change) if change[0] else ROOT
    dask.worker("--name", "odd", preload=preload, path=path)
    with pytest.raises(UserError, match=rf"no dask worker can make these runs: the dask worker odd at .* {reason}"):
        list(cluster.cluster(square, NUMBERS, dask.address, rules(sentences)))


def test_others_do_the_work_of_an_unfit_worker(
    dask: Cluster, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "UNFIT_SECONDS", 60)
    dask.worker("--name", "bare", preload=WITHOUT_PACKAGE)
    assert dict(cluster.cluster(slow, NUMBERS, dask.address, replacing(dask, sentences, "bare"))) == SQUARES
    assert [line for line in sentences if "bare at tcp://" in line and "it gets no runs of this command" in line]


def test_another_source_is_taken_where_that_is_asked_for(dask: Cluster, sentences: list[str], tmp_path: Path) -> None:
    dask.worker(path=other_package(tmp_path, CHANGED))
    jobs = cluster.cluster(square, NUMBERS, dask.address, rules(sentences, any_source=True))
    assert dict(jobs) == SQUARES
    assert any("has another source of benchharness" in line and "records say so" in line for line in sentences)


def test_a_killed_workers_job_goes_elsewhere(dask: Cluster, sentences: list[str]) -> None:
    dask.worker("--name", "first", WITHHOLDS="1")
    assert dict(cluster.cluster(killed_midway, NUMBERS, dask.address, replacing(dask, sentences))) == SQUARES
    assert any("first at tcp://" in line and "its run goes to another" in line for line in sentences)


def test_a_stopped_workers_job_goes_elsewhere(
    dask: Cluster, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SILENT_SECONDS", 3.0)
    worker, _ = [dask.worker("--name", name) for name in ("first", "second")]
    jobs = cluster.cluster(slow, NUMBERS, dask.address, rules(sentences))
    results = dict([next(jobs)])
    worker.send_signal(signal.SIGSTOP)
    assert results | dict(jobs) == SQUARES
    worker.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("work", [stopped_at_the_end, killed_at_the_end])
def test_a_result_that_is_never_handed_over_is_made_elsewhere(
    dask: Cluster, sentences: list[str], monkeypatch: pytest.MonkeyPatch, work: Callable[[int], object]
) -> None:
    monkeypatch.setattr(cluster, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1.0)
    dask.worker("--name", "first", WITHHOLDS="1")
    assert dict(cluster.cluster(work, NUMBERS, dask.address, replacing(dask, sentences))) == SQUARES
    assert any("first at tcp://" in line and "its run goes to another" in line for line in sentences)


def test_a_worker_that_is_stopped_from_the_start_is_named(dask: Cluster, sentences: list[str]) -> None:
    worker = dask.worker("--name", "still")
    assert dict(cluster.cluster(square, NUMBERS, dask.address, rules(sentences))) == SQUARES
    worker.send_signal(signal.SIGSTOP)
    with pytest.raises(UserError, match=r"1 dask worker; waiting to hear from still at .* and none within 2 s"):
        list(cluster.cluster(square, NUMBERS, dask.address, rules(sentences, patience=2)))


def test_a_job_that_kills_its_workers_fails_alone(dask: Cluster, sentences: list[str]) -> None:
    """A nanny would start workers anew; here there are as many as may die, and one more."""
    for _ in range(cluster.DEATHS + 1):
        dask.worker()
    results = dict(cluster.cluster(deadly, NUMBERS, dask.address, rules(sentences)))
    died = results.pop(KILLER)
    assert isinstance(died, RuntimeError)
    assert f"its process died, with each of the {cluster.DEATHS} dask workers" in str(died)
    assert results == {number: square for number, square in SQUARES.items() if number != KILLER}


@pytest.mark.parametrize("error", ["EROFS", "ENOSPC", "EIO", "EDQUOT"])
def test_an_error_of_a_workers_disk_is_that_workers(
    dask: Cluster, sentences: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(cluster, "UNFIT_SECONDS", 60)
    out = tmp_path / "out"
    folders = {number: str(out / str(number)) for number in range(4)}
    out.mkdir()

    def tell(sentence: str) -> None:
        sentences.append(sentence)
        if "odd at tcp://" in sentence:
            dask.worker()

    dask.worker("--name", "odd", preload=READ_ONLY.format(folder=str(out), error=error))
    assert dict(cluster.cluster(make_folder, folders, dask.address, cluster.Rules(60, tell=tell))) == folders
    assert [path.name for path in sorted(out.iterdir())] == ["0", "1", "2", "3"]
    assert any("odd at tcp://" in line and f"[Errno {getattr(errno, error)}]" in line for line in sentences)
