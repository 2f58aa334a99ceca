"""Gives a job to a worker: a process of this machine, or one of a dask scheduler."""

import threading
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from benchharness.compute.devices import devices
from benchharness.data import load_images
from benchharness.errors import UserError, WorkerError
from benchharness.models import compiled, formulations, precision
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.remote import RemoteResult, execute_remotely
from benchharness.runs.worker import Outcome, execute, given_split
from benchharness.search import cuda_graphs
from benchharness.store import Store
from benchharness.store.transfer import RunFiles

_alone = threading.Lock()


class RunTask(NamedTuple):
    """A job with everything that its worker needs."""

    job: Job
    store: Store
    options: RunOptions
    sources: Mapping[str, bytes] = {}
    """The user's files of methods and selections by SHA-256."""
    known: Mapping[str, RunFiles] = {}
    """Files of the job's finished runs by run id, for a worker that cannot read the results folder."""
    images_sha256: str = ""
    """Digest that the worker's images must have; empty if the images are not installed on this machine."""


def start_task(task: RunTask) -> list[Outcome]:
    """Make the job in this process."""
    with _alone:  # a dask worker may have been given several threads, but torch's random numbers are the process's
        return execute(task.job, task.store, task.options, sources=task.sources)


def start_on_shared(task: RunTask) -> list[Outcome]:
    """Make the job on a dask worker that shares the results folder; raises `WorkerError` if the worker is at fault."""
    _check_worker(task)
    return _none_spoilt(start_task(task))


def start_remote(task: RunTask) -> RemoteResult:
    """Make the job on a dask worker without a shared folder; raises `WorkerError` if the worker is at fault."""
    _check_worker(task)
    scratch = (
        import_module("distributed").get_worker().local_directory
    )  # dask empties it after a worker that was killed
    with _alone:
        remote = execute_remotely(task.job, task.store.suite, task.options, task.sources, task.known, scratch)
    _none_spoilt(remote.outcomes)
    return remote


def check_job(job: Job, options: RunOptions) -> None:
    """Raise `UserError` if this machine cannot make `job` with these options, which name a single device."""
    compiled.check_choice(options.compile)
    cuda_graphs.check_device(options.graphs, options.device)
    formulations.check_choice(options.formulation, options.device)
    precision.check_numerics(job.base.protocol["numerics"], options.device)


def _check_worker(task: RunTask) -> None:
    """Raise `WorkerError` if this worker lacks something; otherwise it would fail run after run."""
    try:
        check_job(task.job, task.options._replace(device=devices(task.options.device, 1)[0]))
        images = load_images(task.job.base.dataset)
        given_split(task.job.base)
    except UserError as error:
        raise WorkerError(f"cannot make them: {error}") from None
    if task.images_sha256 not in ("", images.sha256):
        raise WorkerError(
            f"has other images of {task.job.base.dataset!r} (sha256 {images.sha256[:16]}) than this machine "
            f"({task.images_sha256[:16]})"
        )


def _none_spoilt(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes; raises `WorkerError` if one failed because of the worker's disk and not because of the run."""
    for outcome in outcomes:
        if outcome.spoilt:
            raise WorkerError(f"cannot make {outcome.spec.method} seed {outcome.spec.seed}: {outcome.message}")
    return outcomes
