"""How runs are made, none of it part of a run's identity: as asked for, as a worker is told, as a run was made."""

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from benchharness.errors import UserError, unknown
from benchharness.models import compiled
from benchharness.store import Store

EXECUTORS: Final = ("local", "dask")


class RunOptions(NamedTuple):
    """How runs are made, none of which is part of a run's identity.

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

    def checked(self) -> "RunOptions":
        """These options; raises `UserError` on any that cannot be."""
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

    def at(self, store: Store, place: str, shared: bool) -> "Where":
        """What a worker on the device `place` is told of them."""
        how = self.threads, self.timeout, self.choice, shared, self.compile, self.graphs
        return Where(store, place, *how, self.epochs_now, self.until)


class Where(NamedTuple):
    """What a worker needs to know apart from its job."""

    store: Store
    device: str
    """One that `devices` knows; the worker takes the first it stands for."""
    threads: int
    """torch's threads for runs that begin now. One that was begun before keeps the number that it was begun with, since
    the bits depend on it."""
    timeout: float = 0.0
    """Seconds in which an epoch or a reading has to end; a process in which none does is taken for hung. 0 never is."""
    choice: str = ""
    """Why the data set was taken, where it was not asked for by name."""
    shared: bool = False
    """Whether runs beside this one use the device, so that one without memory is no failure yet."""
    compile: str = "auto"
    """Whether runs that begin now are compiled; one that was begun before goes on as it was begun."""
    graphs: bool = False
    """Whether steps of runs that begin now are recorded as CUDA graphs; one that was begun before goes on as begun."""
    epochs_now: int = 0
    """Epochs of the schedule after which training pauses; 0 trains all of them."""
    until: float = 0.0
    """When to pause, in seconds since 1970; 0 never."""

    def pauses(self, epochs: int = 0, seconds: float = 0.0) -> bool:
        """Whether to stop after so many `epochs` rather than to begin what is going to take so many `seconds`."""
        return 0 < self.epochs_now <= epochs or 0 < self.until < time.time() + seconds


def as_made(where: Where, machine: Mapping[str, Any]) -> Where:
    """`where` with the threads, compilation and CUDA-graph settings recorded in `machine`; graphs on CUDA only."""
    recorded = machine.get("graphs", False) and where.device.startswith("cuda")
    compile_now, threads = "on" if machine.get("compiled") else "off", int(machine.get("threads", where.threads))
    return where._replace(threads=threads, compile=compile_now, graphs=recorded)


def ways(where: Where) -> dict[str, bool]:
    """Compilation and CUDA graphs, where used, by their names in `machine.json`: they touch last bits."""
    return {name: True for name, on in (("compiled", where.compile == "on"), ("graphs", where.graphs)) if on}
