"""Gives jobs to the workers of a dask scheduler, one at a time to each, after the worker has reported its software.

Workers may appear, disappear, lack software or fill their disks. A message names the worker and the problem, and its
jobs go to other workers. We assign jobs ourselves because dask's scheduler blames a worker's death on every job that
waits there, and cannot exclude an unfit worker. (joblib's dask backend waits for ever once a task is given up.)
"""

import logging
import queue
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import uuid4

from benchharness.compute import worker_report
from benchharness.errors import UserError, WorkerError

Job = TypeVar("Job")
Result = TypeVar("Result")

POLL_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 10.0
"""Time in which the scheduler has to answer."""
SAY_SECONDS: Final = 5.0
"""Time without a usable worker after which a message says what the command waits for."""
UNFIT_SECONDS: Final = 10.0
"""Time with unusable workers only, after which the command ends."""
SILENT_SECONDS: Final = 60.0
"""Time without a worker's heartbeat after which its job goes to another worker."""
DEATHS: Final = 3
"""Number of workers that die with a job before the job is blamed."""
_FAULTS: Final = (WorkerError, OSError, ImportError, AttributeError)
"""Exceptions that a worker raises if its disk, its network or its package is at fault; errors of runs are results."""
_GOES_ON: Final = "nothing finished is lost, and the same command resumes"


def say(sentence: str) -> None:
    """Print `sentence` to standard error."""
    print(f"benchharness: {sentence}", file=sys.stderr, flush=True)


class Rules(NamedTuple):
    """How jobs are given to a cluster's workers."""

    patience: float = 0.0
    """Seconds to wait for a worker that can work; 0 waits for ever."""
    any_source: bool = False
    """Whether to accept workers that run another source of this package."""
    tell: Callable[[str], None] = say


class Errand(NamedTuple):
    """A job that a worker is working on."""

    future: Any
    address: str
    key: int | None
    """The job's key; None for the request to report what the worker has."""


def cluster(
    work: Callable[[Job], Result],
    jobs: Mapping[int, Job],
    scheduler: str,
    rules: Rules = Rules(),  # noqa: B008
) -> Iterator[tuple[int, Result | Exception]]:
    """Each job's key and result as they finish on the workers of the dask scheduler at this address.

    A job whose worker dies, falls silent or turns out to be unfit goes to another worker. If several workers die with a
    job, its result is the exception. Raises `UserError` if no scheduler answers, if it stops answering, if every worker
    is unfit, or if no worker appears within `rules.patience` seconds.
    """
    with _client(scheduler) as client:
        yield from _Dispatch(client, work, dict(jobs), rules).results()


@dataclass
class _Dispatch(Generic[Job, Result]):
    """The remaining jobs, and the job of each worker."""

    client: Any
    work: Callable[[Job], Result]
    queued: dict[int, Job]
    rules: Rules
    running: dict[int, Job] = field(default_factory=dict)
    workers: dict[str, str] = field(default_factory=dict)
    """Names, by address, of the workers that the scheduler lists and that are not silent."""
    fit: set[str] = field(default_factory=set)
    unfit: dict[str, str] = field(default_factory=dict)
    """Workers that cannot work, and why."""
    errands: dict[str, Errand] = field(default_factory=dict)
    """Jobs under way, by dask's key."""
    finished_keys: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    deaths: Counter[int] = field(default_factory=Counter)
    pulses: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Every worker's last heartbeat, and the time on our own clock at which we first saw it."""
    answering: bool = True
    """Whether the scheduler answers."""
    idle_since: float | None = None
    last_sentence: str = ""

    def results(self) -> Iterator[tuple[int, Result | Exception]]:
        """Each job's key and result."""
        while self.queued or self.running:
            yield from self._look()
            self._hand_out()
            for errand in list(self._returned()):
                yield from self._take(errand)
            self._mind_idleness()

    def _look(self) -> Iterator[tuple[int, Exception]]:
        """Update the list of workers; yields the jobs that are blamed for deaths of workers."""
        workers = self._listed()
        for address in self.workers.keys() - workers.keys():
            yield from self._leave(address)
        for address in workers.keys() - self.workers.keys():
            self.workers[address] = workers[address]
            self._send(address, None, eval, worker_report.EXPRESSION, worker_report.request(self.work.__module__))

    def _listed(self) -> dict[str, str]:
        """The workers that the scheduler lists, without silent ones; unchanged if it does not answer."""
        if self.client.status != "running":
            raise _gone()
        try:
            identity = self.client.sync(self.client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_SECONDS)
        except TimeoutError:
            self.answering = False
            return self.workers
        except OSError as error:
            raise _gone() from error
        self.answering = True
        beating = {address: worker for address, worker in identity["workers"].items() if self._beats(address, worker)}
        return {
            address: address if worker["name"] == address else f"{worker['name']} at {address}"
            for address, worker in beating.items()
        }

    def _beats(self, address: str, worker: Mapping[str, Any]) -> bool:
        """Whether a worker's heartbeat has changed lately, by this machine's clock alone."""
        seconds_now = time.monotonic()
        last, since = self.pulses.get(address, (None, seconds_now))
        if worker["last_seen"] != last:
            self.pulses[address] = worker["last_seen"], seconds_now
            return True
        return seconds_now - since < SILENT_SECONDS

    def _leave(self, address: str) -> Iterator[tuple[int, Exception]]:
        """Forget a worker; its job goes to the end of the queue, or is given up if it killed too many workers."""
        name = self.workers.pop(address)
        self.fit.discard(address)
        self.unfit.pop(address, None)
        for errand in [errand for errand in self.errands.values() if errand.address == address]:
            self._recall(errand)
            if errand.key is not None:
                yield from self._bereave(errand.key, name)

    def _bereave(self, key: int, name: str) -> Iterator[tuple[int, Exception]]:
        self.deaths[key] += 1
        if self.deaths[key] >= DEATHS:
            del self.running[key]
            yield key, RuntimeError(f"its process died, with each of the {DEATHS} dask workers that it was given to")
        else:
            self.queued[key] = self.running.pop(key)
            self.rules.tell(
                f"the dask worker {name} is gone, or silent for {SILENT_SECONDS:g} s; its run goes to another"
            )

    def _hand_out(self) -> None:
        """Give a job to every usable worker that has none."""
        busy = {errand.address for errand in self.errands.values()}
        for address in sorted(self.fit - busy):
            if not self.queued:
                return
            key = next(iter(self.queued))
            self.running[key] = self.queued.pop(key)
            self._send(address, key, self.work, self.running[key])

    def _send(self, address: str, key: int | None, task: Callable[..., Any], *args: Any) -> None:
        name = f"benchharness-{uuid4().hex}"
        # Outside `errands` nothing holds the future, and dask forgets what nobody holds.
        future = self.client.submit(
            task, *args, key=name, workers=[address], allow_other_workers=False, pure=False, retries=0
        )
        self.errands[name] = Errand(future, address, key)
        future.add_done_callback(lambda finished_future: self.finished_keys.put(finished_future.key))

    def _recall(self, errand: Errand) -> None:
        del self.errands[errand.future.key]
        errand.future.release()

    def _returned(self) -> Iterator[Errand]:
        """The jobs that ended since the last call or end within the next second, without recalled ones."""
        with suppress(queue.Empty):
            names = [self.finished_keys.get(timeout=POLL_SECONDS)]
            while True:
                yield from (self.errands[name] for name in names if name in self.errands)
                names = [self.finished_keys.get_nowait()]

    def _take(self, errand: Errand) -> Iterator[tuple[int, Result | Exception]]:
        """Process the outcome of a job."""
        key, name = errand.key, self.workers[errand.address]
        try:
            error = errand.future.exception(timeout=ANSWER_SECONDS)
            answer: Any = errand.future.result(timeout=ANSWER_SECONDS) if error is None else None
        except TimeoutError:  # the worker stopped, or died, before it handed it over: `_look` finds that out
            self.finished_keys.put(errand.future.key)
            return
        except CancelledError:
            raise _gone() from None
        self._recall(errand)
        if type(error).__name__ == "KilledWorker":  # of the package, which is not imported here
            yield from self._bereave(key, name) if key is not None else ()
        elif error is not None:
            self._fail(errand.address, key, error)
        elif key is None:
            self._judge(errand.address, answer)
        else:
            del self.running[key]
            yield key, answer

    def _fail(self, address: str, key: int | None, error: BaseException) -> None:
        """Exclude the worker if the error is its fault; else raise the error."""
        if not isinstance(error, _FAULTS):
            raise error
        if key is not None:
            self.queued[key] = self.running.pop(key)
        self._exclude(address, str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")

    def _judge(self, address: str, answer: Mapping[str, str]) -> None:
        """Decide by a worker's report whether it can make runs."""
        self.workers[address] += f" on {answer['host']}"
        reason = worker_report.shortcoming(answer)
        other = not reason and worker_report.difference(answer)
        if reason or (other and not self.rules.any_source):
            self._exclude(address, reason or f"{other}; install the same there, or take it with --any-source")
            return
        self.fit.add(address)
        if other:
            self.rules.tell(f"the dask worker {self.workers[address]} {other}; its runs' records say so")

    def _exclude(self, address: str, reason: str) -> None:
        self.fit.discard(address)
        self.unfit[address] = f"the dask worker {self.workers[address]} {reason}"
        self.rules.tell(f"{self.unfit[address]}; it gets no runs of this command")

    def _mind_idleness(self) -> None:
        """Print what the command waits for if no worker is usable; raise `UserError` if that takes too long."""
        if self.answering and (self.fit or self.running or not self.queued):
            self.idle_since = None
            return
        seconds_now = time.monotonic()
        self.idle_since = self.idle_since or seconds_now
        idle = seconds_now - self.idle_since
        if self.workers and len(self.unfit) == len(self.workers) and idle > UNFIT_SECONDS:
            raise UserError(f"no dask worker can make these runs: {'; '.join(self.unfit.values())}; {_GOES_ON}")
        if self.rules.patience and idle > self.rules.patience:
            raise UserError(f"{self._situation()}, and none within {self.rules.patience:g} s (--timeout); {_GOES_ON}")
        if idle > SAY_SECONDS and self._situation() != self.last_sentence:
            self.last_sentence = self._situation()
            self.rules.tell(self.last_sentence)

    def _situation(self) -> str:
        """One sentence: how many workers there are, and what the command waits for."""
        if not self.answering:
            return "the dask scheduler does not answer; waiting for it"
        number = f"{len(self.workers)} dask worker{'s' * (len(self.workers) != 1)}"
        unfit = f", {len(self.unfit)} unfit" if self.unfit else ""
        silent = [name for address, name in self.workers.items() if address not in self.unfit]
        if not silent:
            return f"{number}{unfit}; waiting for one that can make runs"
        return f"{number}{unfit}; waiting to hear from {', '.join(silent)}, which may be loading, busy or stopped"


def _gone() -> UserError:
    return UserError(f"the dask scheduler went away; {_GOES_ON}")


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        dask = import_module("distributed")
    except ImportError:
        raise UserError("--executor dask needs the extra `dask`: pip install 'benchharness[dask]'") from None
    try:
        client = dask.Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler answers at {scheduler[:80]!r}: {error}") from None
    with _quiet(), client:
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """A `with` block without dask's log messages; we report the important ones in a sentence."""
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if f"{name}.".startswith("distributed.")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
