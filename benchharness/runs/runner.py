"""Plan -> executor -> store: makes every run of a plan exactly once."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from benchharness import methods
from benchharness.compute import executors
from benchharness.compute.cluster import Rules, cluster
from benchharness.compute.devices import devices
from benchharness.compute.watchdog import stacks
from benchharness.config import protocol as make_protocol
from benchharness.data import load_images
from benchharness.errors import UserError, unknown
from benchharness.models import compiled
from benchharness.records import Status
from benchharness.runs.plan import Job, make_plan, parse_methods, parse_seeds
from benchharness.runs.remote import Carried, deliver, held
from benchharness.runs.suite import Suite
from benchharness.runs.tasks import Task, check_place, start_away, start_task, start_there
from benchharness.runs.worker import Outcome, Where, execute, finished
from benchharness.store import Store

__all__ = ["Means", "Outcome", "Where", "check_plan", "devices", "execute", "perform", "plan_of", "share"]

POLL_SECONDS: Final = 2.0
EXECUTORS: Final = ("local", "dask")


class Means(NamedTuple):
    """What runs are made with, none of which is part of a run's identity.

    Only `threads`, `device`, `compile` and `graphs` touch the bits.
    """

    jobs: int = 1
    """Runs at a time on this machine, each in a process of its own."""
    device: str = "auto"
    threads: int = 1
    """torch's threads per run on the CPU; one, so that bits depend neither on the cores nor on `jobs`."""
    timeout: float = 0.0
    """Seconds in which an epoch or a reading has to end before its process is taken for hung, and a dask worker has to
    come; 0 waits for ever."""
    executor: str = "local"
    scheduler: str = ""
    """Address of the dask scheduler."""
    return_results: bool = False
    """Whether dask's workers, which then need not share the results folder, send back what they made."""
    any_source: bool = False
    """Whether dask's workers may have another source of this package; their runs' records say which."""
    compile: str = "auto"
    """Whether the supernet's cells are compiled for training: `on`, `off`, or `auto`, where that pays."""
    graphs: bool = False
    """Whether steps are recorded as CUDA graphs."""
    epochs_now: int = 0
    """Epochs of the schedule after which every training pauses, to be gone on with another time; 0 trains them all."""
    until: float = 0.0
    """When whatever goes on pauses, at the end of an epoch, in seconds since 1970; 0 never."""
    choice: str = ""
    """Why the data set is the one it is, where `auto` was asked for; kept with every run."""

    def checked(self) -> "Means":
        """These means; raises `UserError` on any that cannot be."""
        if self.executor not in EXECUTORS:
            raise unknown("executor", self.executor, EXECUTORS)
        if (self.executor == "dask") != bool(self.scheduler):
            raise UserError("--executor dask and --scheduler tcp://HOST:PORT go together; only one of them is given")
        if self.return_results and self.executor != "dask":
            raise UserError("--return-results goes with --executor dask: other workers share the results folder anyway")
        if self.any_source and self.executor != "dask":
            raise UserError("--any-source goes with --executor dask: other processes have the source of this one")
        if self.compile not in compiled.CHOICES:
            raise unknown("compile", self.compile, compiled.CHOICES)
        if self.return_results and (self.epochs_now or self.until):
            raise UserError("--return-results leaves checkpoints behind, so that --epochs-now and --for cannot go on")
        for name, least in (("jobs", 1), ("threads", 1), ("timeout", 0), ("epochs_now", 0), ("until", 0)):
            value = getattr(self, name)
            if not least <= value < float("inf"):
                raise UserError(f"{name}={value} is out of range; it must be {least} or more, and finite")
        return self


def plan_of(suite: Suite) -> list[Job]:
    """The jobs of a request, everything about it checked."""
    suite, _ = suite.resolved()
    settings = make_protocol(suite.protocol, suite.settings)
    return make_plan(parse_methods(suite.methods), parse_seeds(suite.seeds), suite.dataset, settings, suite.settings)


def share(plan: list[Job], part: str) -> list[Job]:
    """Part `i/n` of a plan, i from 1 to n: every n-th supernet, so that the parts are disjoint and make up the plan.

    Raises `UserError` where `part` is none.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", part, re.ASCII)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"shard {part[:40]!r} is no part; write i/n with i from 1 to n, such as 3/8")
    return plan[int(match[1]) - 1 :: int(match[2])]


def perform(plan: Iterable[Job], store: Store, means: Means = Means()) -> Iterator[Outcome]:  # noqa: B008
    """Work through what the store lacks, yielding each run's outcome as its job ends.

    Returns once every run is done or has failed: runs that other processes are working on are waited for, and taken
    over where those processes die. Where runs that share a GPU find no memory left on it, they are made again, from
    where they stopped, with half as many at a time, down to one a GPU. A run whose steps no CUDA graph can hold goes on
    without, in a fresh process.
    """
    store = Store(store.root.absolute(), store.suite)  # workers may be elsewhere
    elsewhere = means.executor == "dask"
    left = {key: job for key, job in enumerate(plan) if not finished(store, job)}
    places = check_plan(left.values(), store, means)
    sources = _sources(left.values())
    images = _digests(left.values()) if elsewhere else {}
    if not elsewhere:
        _fetch(left.values())
    afresh = False
    while left:
        shared = not elsewhere and means.jobs > len(places)
        wheres = {key: _where(store, places[key % len(places)], means, shared) for key in left}
        work = {
            key: Task(
                job,
                wheres[key],
                sources[job.source_path],
                held(job, store) if means.return_results else {},
                images.get(job.base.dataset, ""),
            )
            for key, job in left.items()
        }
        busy: set[int] = set()
        again: set[int] = set()
        crowded = False
        for key, result in _execute(work, means, afresh):
            for outcome in _outcomes(left[key], result, wheres[key]):
                if outcome.state == "busy":
                    busy.add(key)
                    continue
                if outcome.state == "afresh" and elsewhere:
                    outcome = outcome._replace(state="failed", message=f"{outcome.message}, on a worker started anew")
                if outcome.state in ("crowded", "afresh"):
                    again.add(key)
                    crowded |= outcome.state == "crowded"
                    afresh |= outcome.state == "afresh"
                yield outcome
        means = means._replace(jobs=max(len(places), means.jobs // 2)) if crowded else means
        if busy and 0 < means.until < time.time():
            yield from (Outcome(spec, "paused", "others are at it") for key in busy for spec in left[key].specs)
            return
        left = {key: job for key, job in left.items() if key in busy | again}
        time.sleep(POLL_SECONDS if busy else 0)


def check_plan(plan: Iterable[Job], store: Store, means: Means) -> list[str]:
    """The devices that the runs of `plan` take in turn; raises `UserError` where they cannot be made by these means."""
    means.checked()
    if means.executor == "dask":
        return [means.device]
    places = devices(means.device, means.jobs)
    for job in plan:
        for place in places:
            check_place(job, place, _where(store, place, means, shared=False))
    return places


def _where(store: Store, place: str, means: Means, shared: bool) -> Where:
    threads, timeout, choice, until = means.threads, means.timeout, means.choice, means.until
    ways = means.compile, means.graphs
    return Where(store, place, threads, timeout, choice, shared, *ways, means.epochs_now, until)


def _sources(jobs: Iterable[Job]) -> dict[Path | None, bytes]:
    return {path: methods.source_of(path) if path else b"" for path in {job.source_path for job in jobs}}


def _execute(
    work: Mapping[int, Task], means: Means, afresh: bool
) -> Iterator[tuple[int, list[Outcome] | Carried | Exception]]:
    if means.executor == "dask":
        away: Callable[[Task], list[Outcome] | Carried] = start_away if means.return_results else start_there
        return cluster(away, work, means.scheduler, Rules(means.timeout, means.any_source))
    if afresh:
        return executors.fresh(start_task, work, means.jobs)
    if means.jobs == 1 and not means.timeout:
        return executors.serial(start_task, work)
    return executors.processes(
        start_task, work, means.jobs
    )  # what hangs is ended with its process, which is not this one


def _outcomes(job: Job, result: list[Outcome] | Carried | Exception, where: Where) -> list[Outcome]:
    """What a worker returned, held against the folder; where the worker died, its run has failed."""
    store = where.store
    if isinstance(result, Carried):
        return list(deliver(result, store))
    if not isinstance(result, Exception):
        return [_seen(outcome, store) for outcome in result]
    left = [spec for spec in job.specs if store.status(spec) != Status.DONE]
    message = str(result)
    for spec in left[:1]:
        with store.claim(spec) as run:
            if run is not None:
                trail = stacks(run.hung)
                if trail:
                    message = f"it hung: no epoch or reading ended in {where.timeout:g} s"
                run.fail(TimeoutError(message) if trail else result, trail)
    return [Outcome(spec, "failed", message) for spec in left]


def _seen(outcome: Outcome, store: Store) -> Outcome:
    try:
        if outcome.state != "done" or store.status(outcome.spec) == Status.DONE:
            return outcome
    except UserError as error:  # of a worker with another source, where such are taken
        return Outcome(outcome.spec, "failed", str(error))
    return Outcome(outcome.spec, "failed", f"its worker wrote to another {store.path} than this one; share that folder")


def _fetch(jobs: Iterable[Job]) -> None:
    """Have every data set at hand before any worker starts: a missing one is one sentence, not one failure a run."""
    for name in sorted({job.base.dataset for job in jobs}):
        load_images(name)


def _digests(jobs: Iterable[Job]) -> dict[str, str]:
    """The digest of every data set that is here: where others make the runs, none need be."""
    digests = {}
    for name in sorted({job.base.dataset for job in jobs}):
        with suppress(UserError):
            digests[name] = load_images(name).sha256
    return digests
