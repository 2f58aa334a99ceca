"""What one worker does with one job: train its supernet, derive all cells from it, and store the results."""

import errno
import gc
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import torch

from benchharness.compute import environment, memory
from benchharness.compute.devices import devices, name_of
from benchharness.compute.watchdog import watched
from benchharness.data import benchmark_split, load_images
from benchharness.data.splits import Split
from benchharness.errors import UnwritableError, UserError
from benchharness.io.catalog import data_folder
from benchharness.models import compiled as compiling
from benchharness.records import RunSpec, Status
from benchharness.runs.blame import place
from benchharness.runs.checkpoint import Searcher, check_same, checkpoints, resumed
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.search import diagnostics
from benchharness.search.cuda_graphs import CudaRecorder, NotRecorded, check_device
from benchharness.search.loop import Search
from benchharness.store import Run, Store

_DISKS: Final = {
    *(errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM),
    *(errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.EMFILE, errno.ENFILE),
}


_UNFIT: Final[list[str]] = []
"""Why steps could not be recorded in this process, where that was tried: whatever comes next is for another one."""

Open = Callable[[Job, torch.device], Searcher]


class Outcome(NamedTuple):
    """How one run of a job ended this time."""

    spec: RunSpec
    state: Literal["done", "failed", "busy", "crowded", "paused", "afresh"]
    """`busy`: another process is working on it. `crowded`: the GPU that it shares with others had no memory left.
    `paused`: it goes on another time, as its epochs or its time for now are used up. `afresh`: to be done in another
    process, since in this one steps could not be recorded."""
    message: str = ""
    """Why it failed, or how far it is; of a run that is done, what its maker should know."""
    spoilt: bool = False
    """Whether it failed for a disk that is full, broken or read-only: on another machine it may well be made."""


def open_search(job: Job, device: torch.device, compiled: bool = False, graphs: bool = False) -> Searcher:
    """The real search of a job's supernet, at its beginning."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    diagnostics.forget_peak(device)
    images = load_images(job.base.dataset)
    check_device(graphs, device.type)
    recorder = CudaRecorder(device) if graphs else None
    return Search(job.base, images, device, job.source_path, given_split(job.base), compiled, recorder)


def given_split(spec: RunSpec) -> Split | None:
    """The benchmark's split where the run was planned with it; any other that is here would make another run."""
    if not spec.split_sha256:
        return None
    split = benchmark_split(spec.dataset)
    if split is None or split.sha256 != spec.split_sha256:
        there = "there is none" if split is None else f"that of {split.sha256[:16]}... is there"
        raise UserError(
            f"run {spec.run_id} was planned with the {spec.dataset} split file of sha256 {spec.split_sha256[:16]}..., "
            f"and in {data_folder()} {there}; `benchharness data import PATH` brings it in"
        )
    return split


def finished(store: Store, job: Job) -> bool:
    """Whether every run of the job is done."""
    return all(store.status(spec) == Status.DONE for spec in job.specs)


def execute(
    job: Job, store: Store, options: RunOptions, make: Open = open_search, source: bytes = b""
) -> list[Outcome]:
    """Do what the store lacks of one job, in this process: train its supernet, then read everything out of it.

    `source` is the user's method file; it is kept in the supernet's folder and run from there, so that a run can be
    repeated, and a worker elsewhere needs nothing but the folder.
    """
    if options.pauses() and not finished(store, job):
        return [Outcome(spec, "paused", "the time is up") for spec in job.specs]
    if _UNFIT:
        return [Outcome(spec, "afresh", "its process could not record another run's steps") for spec in job.specs]
    with store.claim(job.base) as base:
        if base is None:
            return [Outcome(spec, "busy") for spec in job.specs]
        if finished(store, job):
            return [Outcome(spec, "done") for spec in job.specs]
        options = _as_begun(base, options._replace(device=devices(options.device, 1)[0]))
        torch.set_num_threads(options.threads)
        try:
            job = job._replace(source_path=base.method_file(source)) if source else job
            begin = partial(make, job, torch.device(options.device), **options.speedups())
            anew, pause = _train(base, begin, options)
        except NotRecorded as error:
            return _unrecorded(job, base, error)
        except Exception as error:
            if not _crowds(error, options):
                return _untrained(job, base, error)
            crowded = True  # the memory is free only once the error, and the search in its traceback, is gone
        else:
            crowded = False
        if crowded:
            return [_crowded(base, options)]
        if pause:
            return [Outcome(spec, "paused", pause) for spec in job.specs if not (spec == job.base and base.done)]
        own, *others = [_read_out(base, spec, begin, store, options) for spec in job.specs]
        return [own._replace(message=own.message or anew), *others]


def _unrecorded(job: Job, base: Run, error: NotRecorded) -> list[Outcome]:
    """What becomes of a job whose steps could not be recorded: it goes on without, in a process that did not try."""
    _UNFIT.append(str(error))
    if base.done:  # its checkpoint is gone, and without recording it would not come out the same
        return _untrained(job, base, error)
    base.begin(epoch=len(base.lines()), not_recorded=str(error))
    return [Outcome(spec, "afresh", f"{error}; it goes on without --graphs") for spec in job.specs]


def _crowds(error: Exception, options: RunOptions) -> bool:
    """Whether the run ran out of memory because it shares the GPU."""
    full = isinstance(error, torch.OutOfMemoryError) or (options.device.startswith("cuda") and memory.ran_out(error))
    return options.shares_device and full


def _crowded(run: Run, options: RunOptions) -> Outcome:
    """The outcome of a run whose device ran out of memory; its checkpoint holds what was trained."""
    gc.collect()  # a search is a ring of objects, and stays until it is collected
    torch.cuda.empty_cache()
    return Outcome(run.spec, "crowded", f"{options.device} has no memory left for so many at a time; again with half")


def _as_begun(base: Run, options: RunOptions) -> RunOptions:
    """`options` with the threads, compilation and graphs that the run was begun with, if it was begun earlier."""
    attempts = base.machine().get("attempts")
    if attempts:
        return options.as_recorded({**attempts[0], **({"graphs": False} if _unrecordable(base) else {})})
    compiled = compiling.decided(options.compile, base.spec.protocol, options.device)
    return options._replace(compile="on" if compiled else "off")


def _unrecordable(run: Run) -> bool:
    """Whether an earlier attempt found that steps cannot be recorded."""
    return any("not_recorded" in attempt for attempt in run.machine().get("attempts", ()))


def _attempt_facts(options: RunOptions) -> dict[str, Any]:
    """Device, threads and source, which `machine.json` lists for each attempt at a run."""
    return {"device": options.device, "threads": options.threads, "package_sha256": environment.source_sha256()}


def _train(base: Run, begin: Callable[[], Searcher], options: RunOptions) -> tuple[str, str]:
    """Train the supernet to its end, from its checkpoint where there is one; does nothing where it is at its end.

    Returns why it was trained anew where there was a checkpoint that it could not go on from, and where it pauses, if
    it does: at the end of an epoch, before one that would take longer than there is time, and with what it has so far
    in `trace.npz`.
    """
    with watched(base.hung, options.timeout):
        search, anew = resumed(base, begin)
    if not base.done:
        base.keep(search.epoch)
        facts = {"images_sha256": search.images_sha256, **({"anew": anew} if anew else {}), **options.speedups()}
        base.begin(epoch=search.epoch, **_attempt_facts(options), **facts)
    recorded, seconds = base.arrays() if base.done else None, 0.0
    with checkpoints(base) as writer:
        while not search.finished and not options.pauses(search.epoch, seconds):
            started = time.time()
            with watched(base.hung, options.timeout):
                line = search.run_epoch()
            writer.wait()
            if recorded is None:
                base.log(line)
            else:
                check_same(search, recorded["alphas"])
            writer.save(search)
            seconds = time.time() - started
    if search.finished:
        return anew, ""
    if recorded is None:
        base.pause(search.arrays())
    return anew, f"{search.epoch} of {base.spec.protocol['epochs']} epochs are trained"


def _untrained(job: Job, base: Run, error: Exception) -> list[Outcome]:
    """What becomes of a job without its supernet. A base run that is done stays done: only its readings are missing."""
    own = Outcome(base.spec, "done") if base.done else _failed(base, base, error)
    return [own, *(Outcome(spec, "failed", f"no supernet: {error}") for spec in job.readouts)]


def _read_out(base: Run, spec: RunSpec, begin: Callable[[], Searcher], store: Store, options: RunOptions) -> Outcome:
    """Read one run out of the trained supernet; each gets the supernet as training left it."""
    if options.pauses() and store.status(spec) != Status.DONE:
        return Outcome(spec, "paused", "trained, to be read out")
    if spec == base.spec:
        return _record(base, base, begin, options)
    with store.claim(spec) as run:
        if run is None:
            return Outcome(spec, "busy")
        if not run.done:
            run.begin(epoch=0, **_attempt_facts(options))
        return _record(run, base, begin, options)


def _record(run: Run, base: Run, begin: Callable[[], Searcher], options: RunOptions) -> Outcome:
    if run.done:
        return Outcome(run.spec, "done")
    if options.graphs and _unrecordable(run):
        begin = partial(begin, graphs=False)  # type: ignore[call-arg]
    try:
        _finish(run, base, begin, options)
    except NotRecorded as error:
        _UNFIT.append(str(error))
        run.begin(epoch=0, not_recorded=str(error))
        return Outcome(run.spec, "afresh", f"{error}; it goes on without --graphs")
    except Exception as error:
        if not _crowds(error, options):
            return _failed(run, base, error)
    else:
        return Outcome(run.spec, "done")
    return _crowded(run, options)


def _finish(run: Run, base: Run, begin: Callable[[], Searcher], options: RunOptions) -> None:
    """Read `run` out of the supernet of `base`; in a frame of its own, so that its search ends with an error."""
    search, _ = resumed(base, begin)
    arrays = search.arrays() if run is base else {}
    search.tell = _teller(run)
    started = time.perf_counter()
    with watched(run.hung, options.timeout):
        record, selection_arrays = search.read_out(run.spec)
    seconds = time.perf_counter() - started
    record = replace(record, package_sha256=environment.source_sha256())
    run.finish(record, {**arrays, **selection_arrays}, _machine(base, options, seconds))


def _teller(run: Run) -> Callable[[float], None]:
    """What notes how much of a reading is done for whoever looks on, once a second."""
    last = time.monotonic()

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            with suppress(OSError):  # as on a full disk, which the results themselves will be told of
                run.tell(share)

    return tell


def _machine(base: Run, options: RunOptions, selection_seconds: float) -> dict[str, Any]:
    """Costs and circumstances; `train_seconds` are those of the supernet, whichever run trained it."""
    lines = base.lines()
    compiling_seconds = sum(line.get("compile_seconds", 0.0) for line in lines)
    peaks = [line.get("peak_memory_bytes", 0) for line in lines]
    return {
        "train_seconds": sum(line.get("seconds", 0.0) for line in lines),
        "selection_seconds": selection_seconds,
        "peak_memory_bytes": max([diagnostics.peak_memory_bytes(torch.device(options.device)), *peaks]),
        "device": name_of(options.device),
        "threads": options.threads,
        "environment": environment.describe(),
        **options.speedups(),
        **({"compile_seconds": compiling_seconds} if compiling_seconds else {}),
        **({"dataset_choice": options.choice} if options.choice else {}),
    }


def _failed(run: Run, base: Run, error: Exception) -> Outcome:
    message, file = _plainly(error), f"{run.spec.trains}.py"
    if line := place(error, base.folder / "method.py" if run.spec.source else None, file):
        message += f" {line}; run `benchharness check {file}`"
    try:
        run.fail(error)
    except OSError as full:
        message += "" if isinstance(error, UnwritableError) else f" (and {full})"
    return Outcome(run.spec, "failed", message, _is_disks(error))


def _is_disks(error: BaseException | None) -> bool:
    """Whether a disk, or the way to it, is behind an error."""
    if error is None or isinstance(error, UnwritableError):
        return error is not None
    return (isinstance(error, OSError) and error.errno in _DISKS) or _is_disks(error.__cause__ or error.__context__)


def _plainly(error: Exception) -> str:
    """The error in words, with what to do where memory ran out, which torch says in the words of its allocators."""
    message = str(error) if isinstance(error, UnwritableError) else f"{type(error).__name__}: {error}"
    if memory.ran_out(error):
        return f"no memory left; take fewer --jobs, or a smaller batch with --set batch=N ({message})"
    return message
