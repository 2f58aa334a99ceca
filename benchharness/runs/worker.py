"""Executes one job in this process: trains its supernet, derives all its cells, stores the results."""

import errno
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import torch

from benchharness.compute import environment, memory
from benchharness.compute.devices import devices, name_of
from benchharness.compute.watchdog import time_limit
from benchharness.data import benchmark_split, load_images
from benchharness.data.splits import Split
from benchharness.errors import SpeedupError, UnwritableError, UserError
from benchharness.io.catalog import data_folder
from benchharness.records import RunSpec, Status
from benchharness.runs.blame import advice, error_line
from benchharness.runs.checkpoint import Searcher, check_same, checkpoints, resume
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.search import diagnostics
from benchharness.search.cuda_graphs import CudaRecorder, check_device
from benchharness.search.loop import Search
from benchharness.store import Run, Store

_DISKS: Final = {
    *(errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EACCES, errno.EPERM),
    *(errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.EMFILE, errno.ENFILE),
}


_NO_SOURCES: Final[Mapping[str, bytes]] = MappingProxyType({})
_UNFIT: Final[list[str]] = []
"""Why CUDA graphs or fused cells failed in this process, if they did: later runs then need a new process."""
_WITHOUT: Final[dict[str, dict[str, Any]]] = {"not_recorded": {"graphs": False}, "not_fused": {"formulation": "shared"}}
"""What a run goes on with after an attempt that says so in `machine.json`."""

Open = Callable[[Job, torch.device], Searcher]


class Outcome(NamedTuple):
    """Outcome of one run of a job."""

    spec: RunSpec
    state: Literal["done", "failed", "busy", "crowded", "paused", "afresh"]
    """`busy`: another process works on it. `crowded`: the shared GPU ran out of memory. `paused`: the epochs or the
    time for this command are used up. `afresh`: it needs a new process, since CUDA graphs or fused cells failed in
    this one."""
    message: str = ""
    """Why it failed, or its progress; for a finished run, a warning or nothing."""
    spoilt: bool = False
    """Whether it failed because of the disk (full, broken or read-only), so that another machine could make it."""


def open_search(
    job: Job, device: torch.device, compiled: bool = False, graphs: bool = False, formulation: str = "shared"
) -> Searcher:
    """The real search of a job's supernet, at its beginning."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    diagnostics.forget_peak(device)
    images = load_images(job.base.dataset)
    check_device(graphs, device.type)
    recorder = CudaRecorder(device) if graphs else None
    return Search(job.base, images, device, job.source_path, given_split(job.base), compiled, recorder, formulation)


def given_split(spec: RunSpec) -> Split | None:
    """The benchmark's split if the run was planned with it; raises `UserError` if the installed one is another."""
    if not spec.split_sha256:
        return None
    split = benchmark_split(spec.dataset)
    if split is None or split.sha256 != spec.split_sha256:
        installed_text = "there is none" if split is None else f"that of {split.sha256[:16]}... is there"
        raise UserError(
            f"run {spec.run_id} was planned with the {spec.dataset} split file of sha256 {spec.split_sha256[:16]}..., "
            f"and in {data_folder()} {installed_text}; `benchharness data import PATH` brings it in"
        )
    return split


def is_finished(store: Store, job: Job) -> bool:
    """Whether every run of the job is done."""
    return all(store.status(spec) == Status.DONE for spec in job.specs)


def execute(
    job: Job, store: Store, options: RunOptions, make: Open = open_search, sources: Mapping[str, bytes] = _NO_SOURCES
) -> list[Outcome]:
    """Make the runs of one job that the store lacks, in this process: train the supernet, then derive all cells.

    `sources` are the user's files of methods and selections by SHA-256. They are saved in the runs' folders and
    executed from there, so that the runs can be repeated and a worker elsewhere needs only the folder.
    """
    if options.pauses() and not is_finished(store, job):
        return [Outcome(spec, "paused", "the time is up") for spec in job.specs]
    if _UNFIT:
        return [Outcome(spec, "afresh", "its process could not speed another run up") for spec in job.specs]
    with store.claim(job.base) as base:
        if base is None:
            return [Outcome(spec, "busy") for spec in job.specs]
        if is_finished(store, job):
            return [Outcome(spec, "done") for spec in job.specs]
        options = _as_begun(base, options._replace(device=devices(options.device, 1)[0]))
        torch.set_num_threads(options.threads)
        try:
            base.copy_sources(sources, method=True)
            job = job._replace(files={job.base.source: base.method} if job.base.source else {})
            begin = partial(make, job, torch.device(options.device), **options.speedups())
            anew, pause = _train(base, begin, options)
        except SpeedupError as error:
            return _without(job, base, error)
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
        own_outcome, *others = [_read_out(base, spec, begin, store, options, sources) for spec in job.specs]
        return [own_outcome._replace(message=own_outcome.message or anew), *others]


def _without(job: Job, base: Run, error: SpeedupError) -> list[Outcome]:
    """The outcomes if a job's steps cannot be recorded or fused: it goes on without that in a new process."""
    _UNFIT.append(str(error))
    if base.done:  # its checkpoint is gone, and without recording or fusing it would not come out the same
        return _untrained(job, base, error)
    base.begin(epoch=len(base.lines()), **{error.note: str(error)})
    return [Outcome(spec, "afresh", f"{error}; it goes on without {error.option}") for spec in job.specs]


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
    """`options` with the threads and what speeds it up that the run was begun with, if it was begun earlier."""
    attempts = base.machine().get("attempts")
    if attempts:
        return options.as_recorded({**attempts[0], **_failed_speedups(base)})
    return options._replace(compile="on" if options.compiles(base.spec.protocol, options.device) else "off")


def _failed_speedups(run: Run) -> dict[str, Any]:
    """What the run goes on with, by its name in `RunOptions`, in place of what failed in earlier attempts."""
    notes = {note for attempt in run.machine().get("attempts", ()) for note in attempt}
    return {name: value for note in _WITHOUT.keys() & notes for name, value in _WITHOUT[note].items()}


def _attempt_facts(options: RunOptions) -> dict[str, Any]:
    """Device, threads and source, which `machine.json` lists for each attempt at a run."""
    return {"device": options.device, "threads": options.threads, "package_sha256": environment.source_sha256()}


def _train(base: Run, begin: Callable[[], Searcher], options: RunOptions) -> tuple[str, str]:
    """Train the supernet to its last epoch, from its checkpoint if there is one.

    Returns two texts, often empty: why a checkpoint was not used and training began anew, and at which epoch it
    pauses. It pauses after an epoch if there is no time for the next one, and then writes the arrays so far to
    `trace.npz`.
    """
    with time_limit(base.hung, options.timeout):
        search, anew = resume(base, begin)
    if not base.done:
        base.keep(search.epoch)
        facts = {"images_sha256": search.images_sha256, **({"anew": anew} if anew else {}), **options.speedups()}
        base.begin(epoch=search.epoch, **_attempt_facts(options), **facts)
    expected, seconds = base.arrays() if base.done else None, 0.0
    with checkpoints(base) as writer:
        while not search.finished and not options.pauses(search.epoch, seconds):
            start = time.time()
            with time_limit(base.hung, options.timeout):
                line = search.run_epoch()
            writer.wait()
            if expected is None:
                base.log(line)
            else:
                check_same(search, expected["alphas"])
            writer.save(search)
            seconds = time.time() - start
    if search.finished:
        return anew, ""
    if expected is None:
        base.pause(search.arrays())
    return anew, f"{search.epoch} of {base.spec.protocol['epochs']} epochs are trained"


def _untrained(job: Job, base: Run, error: Exception) -> list[Outcome]:
    """The outcomes if the supernet could not be trained; a base run that is done already stays done."""
    own_outcome = Outcome(base.spec, "done") if base.done else _failed(base, base, error)
    return [own_outcome, *(Outcome(spec, "failed", f"no supernet: {error}") for spec in job.readouts)]


def _read_out(
    base: Run,
    spec: RunSpec,
    begin: Callable[[], Searcher],
    store: Store,
    options: RunOptions,
    sources: Mapping[str, bytes],
) -> Outcome:
    """Derive one run's cell from the trained supernet, which is loaded anew for every run."""
    if options.pauses() and store.status(spec) != Status.DONE:
        return Outcome(spec, "paused", "trained, to be read out")
    if spec == base.spec:
        return _record(base, base, begin, options)
    with store.claim(spec) as run:
        if run is None:
            return Outcome(spec, "busy")
        if not run.done:
            run.begin(epoch=0, **_attempt_facts(options))
            try:
                run.copy_sources(sources, method=False)
            except UserError as error:
                return _failed(run, base, error)
        return _record(run, base, begin, options)


def _record(run: Run, base: Run, begin: Callable[[], Searcher], options: RunOptions) -> Outcome:
    if run.done:
        return Outcome(run.spec, "done")
    lost = {name: value for name, value in _failed_speedups(run).items() if name in options.speedups()}
    begin = partial(begin, **lost) if lost else begin
    try:
        _finish(run, base, begin, options)
    except SpeedupError as error:
        _UNFIT.append(str(error))
        run.begin(epoch=0, **{error.note: str(error)})
        return Outcome(run.spec, "afresh", f"{error}; it goes on without {error.option}")
    except Exception as error:
        if not _crowds(error, options):
            return _failed(run, base, error)
    else:
        return Outcome(run.spec, "done")
    return _crowded(run, options)


def _finish(run: Run, base: Run, begin: Callable[[], Searcher], options: RunOptions) -> None:
    """Derive the cell of `run` from the supernet of `base`; a function of its own, so that errors free the search."""
    search, _ = resume(base, begin)
    arrays = search.arrays() if run is base else {}
    search.tell = _teller(run)
    start, processor_start = time.perf_counter(), time.process_time()
    with time_limit(run.hung, options.timeout):
        record, selection_arrays = search.read_out(run.spec, run.selection)
    costs = {
        "selection_seconds": time.perf_counter() - start,
        "selection_processor_seconds": time.process_time() - processor_start,
    }
    record = replace(record, package_sha256=environment.source_sha256())
    run.finish(record, {**arrays, **selection_arrays}, _machine(base, options, costs))


def _teller(run: Run) -> Callable[[float], None]:
    """A function that writes the finished share of the derivation into the run's folder, at most once a second."""
    last = time.monotonic()

    def tell(share: float) -> None:
        """Write the share, unless one was written in the last second."""
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            with suppress(OSError):  # as on a full disk, which the results themselves will be told of
                run.tell(share)

    return tell


def _machine(base: Run, options: RunOptions, selection_costs: Mapping[str, float]) -> dict[str, Any]:
    """Content of `machine.json`: costs, device and versions; those of training are the supernet's, even if shared."""
    lines = base.lines()
    compiling_seconds = sum(line.get("compile_seconds", 0.0) for line in lines)
    peaks = [line.get("peak_memory_bytes", 0) for line in lines]
    processor_seconds = sum(line.get("processor_seconds", math.nan) for line in lines)
    return {
        "train_seconds": sum(line.get("seconds", 0.0) for line in lines),
        **({} if math.isnan(processor_seconds) else {"train_processor_seconds": processor_seconds}),
        **selection_costs,
        "peak_memory_bytes": max([diagnostics.peak_memory_bytes(torch.device(options.device)), *peaks]),
        "device": name_of(options.device),
        "threads": options.threads,
        "environment": environment.describe(),
        **options.speedups(),
        **({"compile_seconds": compiling_seconds} if compiling_seconds else {}),
        **({"dataset_choice": options.choice} if options.choice else {}),
    }


def _failed(run: Run, base: Run, error: Exception) -> Outcome:
    message = _plainly(error) + next(filter(None, (_at(error, *copy) for copy in _copies(run, base))), "")
    try:
        run.fail(error)
    except OSError as full:
        message += "" if isinstance(error, UnwritableError) else f" (and {full})"
    return Outcome(run.spec, "failed", message, _is_disks(error))


def _copies(run: Run, base: Run) -> Iterator[tuple[Path, str]]:
    """The copies of the user's files of a run, each with the user's name for it."""
    if run.selection:
        label = run.spec.method.rpartition("+")[2]
        yield run.selection, f"{label.partition(':')[0]}.py"
    if run.spec.source:
        yield base.method, f"{run.spec.trains}.py"


def _at(error: Exception, copy: Path, file: str) -> str:
    """The line of the user's `file` in which the error occurred, with what checks the file; empty if it did not."""
    line = error_line(error, copy, file)
    return f" {line}; {advice(copy, file)}" if line else ""


def _is_disks(error: BaseException | None) -> bool:
    """Whether a disk or network file system caused the error."""
    if error is None or isinstance(error, UnwritableError):
        return error is not None
    return (isinstance(error, OSError) and error.errno in _DISKS) or _is_disks(error.__cause__ or error.__context__)


def _plainly(error: Exception) -> str:
    """The error as text; for lack of memory, with a remedy."""
    message = str(error) if isinstance(error, UnwritableError) else f"{type(error).__name__}: {error}"
    if memory.ran_out(error):
        return f"no memory left; take fewer --jobs, or a smaller batch with --set batch=N ({message})"
    return message
