"""Runs a plan: gives its jobs to an executor until every run is done or has failed; each run is made once."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchharness import methods
from benchharness.compute import executors
from benchharness.compute.cluster import Rules, cluster
from benchharness.compute.devices import devices
from benchharness.compute.watchdog import stacks
from benchharness.config import protocol as make_protocol
from benchharness.data import load_images
from benchharness.errors import UserError
from benchharness.records import Status
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job, make_plan, parse_methods, parse_seeds
from benchharness.runs.remote import RemoteResult, finished_files, store_results
from benchharness.runs.suite import Suite
from benchharness.runs.tasks import RunTask, check_job, start_on_shared, start_remote, start_task
from benchharness.runs.worker import Outcome, execute, is_finished
from benchharness.store import Store

__all__ = ["Outcome", "RunOptions", "check_plan", "devices", "execute", "perform", "plan_of", "share"]

POLL_SECONDS: Final = 2.0


def plan_of(suite: Suite) -> list[Job]:
    """The jobs of `suite`; raises `UserError` on a request that cannot be met."""
    suite, _ = suite.resolved()
    settings = make_protocol(suite.protocol, suite.settings)
    return make_plan(parse_methods(suite.methods), parse_seeds(suite.seeds), suite.dataset, settings, suite.settings)


def share(plan: list[Job], shard: str) -> list[Job]:
    """Part `i/n` of a plan: every n-th supernet, starting from the i-th (1 to n). Together the parts are the plan.

    Raises `UserError` if `shard` is not of that form.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"shard {shard[:40]!r} is no part; write i/n with i from 1 to n, such as 3/8")
    return plan[int(match[1]) - 1 :: int(match[2])]


def perform(plan: Iterable[Job], store: Store, options: RunOptions = RunOptions()) -> Iterator[Outcome]:  # noqa: B008
    """Make the runs that the store lacks, and yield each run's outcome as its job ends.

    Returns once every run is done or has failed. Runs that other processes are working on are waited for, and taken
    over if those processes die. If runs that share a GPU exhaust its memory, they go on from where they stopped with
    half as many at a time, down to one per GPU. A run whose steps cannot be recorded as a CUDA graph, or fused, goes on
    without that in a new process.
    """
    store = Store(store.root.absolute(), store.suite)  # workers may be elsewhere
    elsewhere = options.executor == "dask"
    jobs_left = {key: job for key, job in enumerate(plan) if not is_finished(store, job)}
    device_names = check_plan(jobs_left.values(), options)
    sources = _sources(jobs_left.values())
    images = _digests(jobs_left.values()) if elsewhere else {}
    if not elsewhere:
        _fetch(jobs_left.values())
    afresh = False
    while jobs_left:
        work = {
            key: RunTask(
                job,
                store,
                options.for_worker(device_names[key % len(device_names)], len(device_names)),
                {sha256: sources[path] for sha256, path in job.files.items()},
                finished_files(job, store) if options.return_results else {},
                images.get(job.base.dataset, ""),
            )
            for key, job in jobs_left.items()
        }
        busy: set[int] = set()
        retry_keys: set[int] = set()
        crowded = False
        for key, result in _execute(work, options, afresh):
            for outcome in _outcomes(jobs_left[key], result, store, options.timeout):
                if outcome.state == "busy":
                    busy.add(key)
                    continue
                if outcome.state == "afresh" and elsewhere:
                    outcome = outcome._replace(state="failed", message=f"{outcome.message}, on a new worker")
                if outcome.state in ("crowded", "afresh"):
                    retry_keys.add(key)
                    crowded |= outcome.state == "crowded"
                    afresh |= outcome.state == "afresh"
                yield outcome
        options = options._replace(jobs=max(len(device_names), options.jobs // 2)) if crowded else options
        if busy and 0 < options.until < time.time():
            yield from (Outcome(spec, "paused", "others are at it") for key in busy for spec in jobs_left[key].specs)
            return
        jobs_left = {key: job for key, job in jobs_left.items() if key in busy | retry_keys}
        time.sleep(POLL_SECONDS if busy else 0)


def check_plan(plan: Iterable[Job], options: RunOptions) -> list[str]:
    """The devices that the runs of `plan` take in turn; raises `UserError` if `options` do not suit plan or machine."""
    options.checked()
    if options.executor == "dask":
        return [options.device]
    device_names = devices(options.device, options.jobs)
    for job in plan:
        for device_name in device_names:
            check_job(job, options._replace(device=device_name))
    return device_names


def _sources(jobs: Iterable[Job]) -> dict[Path, bytes]:
    return {path: methods.source_of(path) for path in {path for job in jobs for path in job.files.values()}}


def _execute(
    work: Mapping[int, RunTask], options: RunOptions, afresh: bool
) -> Iterator[tuple[int, list[Outcome] | RemoteResult | Exception]]:
    if options.executor == "dask":
        work_there: Callable[[RunTask], list[Outcome] | RemoteResult] = (
            start_remote if options.return_results else start_on_shared
        )
        return cluster(work_there, work, options.scheduler, Rules(options.timeout, options.any_source))
    if afresh:
        return executors.new_processes(start_task, work, options.jobs)
    if options.jobs == 1 and not options.timeout:
        return executors.serial(start_task, work)
    return executors.processes(
        start_task, work, options.jobs
    )  # what hangs is ended with its process, which is not this one


def _outcomes(
    job: Job, result: list[Outcome] | RemoteResult | Exception, store: Store, timeout: float
) -> list[Outcome]:
    """The outcomes of a job, checked against the results folder; if its worker died, its run has failed."""
    if isinstance(result, RemoteResult):
        return list(store_results(result, store))
    if not isinstance(result, Exception):
        return [_checked_outcome(outcome, store) for outcome in result]
    specs_left = [spec for spec in job.specs if store.status(spec) != Status.DONE]
    message = str(result)
    for spec in specs_left[:1]:
        with store.claim(spec) as run:
            if run is not None:
                trail = stacks(run.hung)
                if trail:
                    message = f"it hung: no epoch or reading ended in {timeout:g} s"
                run.fail(TimeoutError(message) if trail else result, trail)
    return [Outcome(spec, "failed", message) for spec in specs_left]


def _checked_outcome(outcome: Outcome, store: Store) -> Outcome:
    try:
        if outcome.state != "done" or store.status(outcome.spec) == Status.DONE:
            return outcome
    except UserError as error:  # of a worker with another source, where such are taken
        return Outcome(outcome.spec, "failed", str(error))
    return Outcome(outcome.spec, "failed", f"its worker wrote to another {store.path} than this one; share that folder")


def _fetch(jobs: Iterable[Job]) -> None:
    """Load every data set once before any worker starts, so that a missing one gives one error and not one per run."""
    for name in sorted({job.base.dataset for job in jobs}):
        load_images(name)


def _digests(jobs: Iterable[Job]) -> dict[str, str]:
    """The digest of every data set that is installed; none need be if other machines make the runs."""
    digests = {}
    for name in sorted({job.base.dataset for job in jobs}):
        with suppress(UserError):
            digests[name] = load_images(name).sha256
    return digests
