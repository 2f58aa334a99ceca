"""Ways to work through a list of jobs: in this process, in several through joblib, on several machines through dask."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, TypeVar
from uuid import uuid4

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from benchharness.errors import UserError

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

    When a worker dies, the pool dies with it. Jobs that were under way at that moment are put last and then done one
    at a time, so that the job which kills its worker is known: it alone gets the exception for its result.
    """
    waiting, suspects = dict(jobs), dict[int, Job]()
    while waiting:
        started: dict[int, Job] = {}
        try:
            yield from _pool(work, waiting, started, count)
        except TerminatedWorkerError:
            suspects |= started
    for key, job in suspects.items():
        try:
            yield from _pool(work, {key: job}, {}, 1)
        except TerminatedWorkerError as error:
            yield key, RuntimeError(f"its process died: {_cause(error)}")


def cluster(
    work: Callable[[Job], Result], jobs: Mapping[int, Job], scheduler: str
) -> Iterator[tuple[int, Result | Exception]]:
    """Each job's key and result as they finish on the workers of the dask scheduler at this address.

    A job whose worker dies is given to another one. Dask gives up those that several workers died with; since it also
    blames jobs that only waited there, they are done once more at the end, one at a time, and who kills its workers
    even then gets the exception for its result. Raises `UserError` where there is no scheduler or it goes away.
    """
    suspects = []
    with _client(scheduler) as client:
        for key, result in _submitted(client, work, jobs):
            if isinstance(result, Exception):
                suspects.append(key)
            else:
                yield key, result
        for key in suspects:
            yield from _submitted(client, work, {key: jobs[key]})


def _submitted(
    client: Any, work: Callable[[Job], Result], jobs: Mapping[int, Job]
) -> Iterator[tuple[int, Result | Exception]]:
    # Not through joblib's own dask backend: in joblib 1.6 its generator never returns once a task is given up.
    dask = import_module("distributed")
    name = f"benchharness-{uuid4().hex[:8]}"
    futures = {client.submit(work, job, key=f"{name}-{key}", pure=False): key for key, job in jobs.items()}
    for future in dask.as_completed(list(futures), loop=client.loop):
        key = futures.pop(future)
        error = future.exception() if future.status == "error" else None
        if isinstance(error, dask.KilledWorker):
            yield key, RuntimeError("its process died, with every dask worker that it was given to")
        elif error is not None:
            raise error
        elif future.status != "finished":
            raise UserError("the dask scheduler went away; nothing finished is lost, and the same command goes on")
        else:
            yield key, future.result()


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        dask = import_module("distributed")
    except ImportError:
        raise UserError("--executor dask needs the extra `dask`: pip install 'benchharness[dask]'") from None
    try:
        client = dask.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler answers at {scheduler[:80]!r}: {error}") from None
    with client:
        yield client


def _pool(
    work: Callable[[Job], Result], waiting: dict[int, Job], started: dict[int, Job], count: int
) -> Iterator[tuple[int, Result]]:
    """Run `waiting` empty; `started` holds the jobs that are under way."""

    def handed_out() -> Iterator[Any]:
        while waiting:
            key = next(iter(waiting))
            started[key] = waiting.pop(key)
            yield delayed(_in_worker)(work, key, started[key], os.getpid())

    # One job at a time to each worker, none dispatched ahead: `started` is then exactly what a dead pool loses.
    # With n_jobs=1 joblib would work in this very process.
    pool = Parallel(n_jobs=max(2, count), return_as="generator_unordered", batch_size=1, pre_dispatch=count)
    for key, result in pool(handed_out()):
        started.pop(key)
        yield key, result


def _in_worker(work: Callable[[Job], Result], key: int, job: Job, parent: int) -> tuple[int, Result]:
    if not _watching.is_set():
        _watching.set()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return key, work(job)


def _end_with(parent: int) -> None:
    """A worker whose parent was killed would go on unseen to the end of its job; its checkpoint is as good."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
