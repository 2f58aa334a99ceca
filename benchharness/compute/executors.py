"""Executors: run a list of jobs in this process, or in several through joblib."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from typing import Any, Final, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from benchharness.compute.streams import replace_closed

Job = TypeVar("Job")
Result = TypeVar("Result")

_WATCH_SECONDS: Final = 2.0
_watching = threading.Event()


def serial(work: Callable[[Job], Result], jobs: Mapping[int, Job]) -> Iterator[tuple[int, Result]]:
    """Each job's key and result, one after the other in this process."""
    for key, job in jobs.items():
        yield key, work(job)


def processes(
    work: Callable[[Job], Result], jobs: Mapping[int, Job], count: int
) -> Iterator[tuple[int, Result | Exception]]:
    """Each job's key and result as they finish in `count` worker processes.

    When a worker dies, the pool dies with it. The jobs that were under way are then done last, one at a time, to find
    the job that kills its worker; only that job's result is the exception.
    """
    replace_closed()
    warnings.filterwarnings("ignore", "A worker stopped while", UserWarning)  # what became of its job is told anyway
    jobs_left, suspects = dict(jobs), dict[int, Job]()
    while jobs_left:
        jobs_begun: dict[int, Job] = {}
        try:
            yield from _pool(work, jobs_left, jobs_begun, count)
        except TerminatedWorkerError:
            suspects |= jobs_begun
    for key, job in suspects.items():
        try:
            yield from _pool(work, {key: job}, {}, 1)
        except TerminatedWorkerError as error:
            yield key, RuntimeError(f"its process died: {_cause(error)}")


def new_processes(work: Callable[[Job], Result], jobs: Mapping[int, Job], count: int) -> Iterator[tuple[int, Result]]:
    """Each job's key and result as they finish in `count` new processes."""
    with ProcessPoolExecutor(count) as pool:
        keys = {pool.submit(work, job): key for key, job in jobs.items()}
        for future in as_completed(keys):
            yield keys[future], future.result()


def _pool(
    work: Callable[[Job], Result], jobs_left: dict[int, Job], jobs_begun: dict[int, Job], count: int
) -> Iterator[tuple[int, Result]]:
    """Run all jobs in `jobs_left`; `jobs_begun` holds the jobs that are under way."""

    def handed_out() -> Iterator[Any]:
        """The jobs one by one, each moved to `jobs_begun` when it is dispatched."""
        while jobs_left:
            key = next(iter(jobs_left))
            jobs_begun[key] = jobs_left.pop(key)
            yield delayed(_in_worker)(work, key, jobs_begun[key], os.getpid())

    # One job at a time to each worker, none dispatched ahead: `jobs_begun` is then exactly what a dead pool loses.
    # With n_jobs=1 joblib would work in this very process.
    pool = Parallel(n_jobs=max(2, count), return_as="generator_unordered", batch_size=1, pre_dispatch=count)
    for key, result in pool(handed_out()):
        jobs_begun.pop(key)
        yield key, result


def _in_worker(work: Callable[[Job], Result], key: int, job: Job, parent: int) -> tuple[int, Result]:
    if not _watching.is_set():
        _watching.set()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return key, work(job)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone; otherwise it would go on unnoticed. Its checkpoint is kept."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
