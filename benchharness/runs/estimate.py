"""Estimates how long the searches of a plan take, from finished runs with the same settings or from timed steps."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from statistics import fmean
from typing import Final, NamedTuple

import torch

from benchharness.compute import environment
from benchharness.compute.devices import devices, name_of
from benchharness.data import load_images
from benchharness.errors import UserError
from benchharness.io.files import read_json
from benchharness.io.progress import clock, with_bar
from benchharness.models.formulations import NotFused
from benchharness.records import RunSpec, Status
from benchharness.runs.blame import error_line
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.progress import run_progress
from benchharness.runs.worker import given_split
from benchharness.search.rehearsal import Rehearsal
from benchharness.store import Store
from benchharness.store.run_folder import read_spec
from benchharness.store.schemas import Machine

RECORDS: Final = 20
"""Most finished runs with the same settings that are read."""
PATIENCE: Final = 30.0
"""Seconds after which no further supernet is timed."""


class Cost(NamedTuple):
    """Seconds that one worker needs for one supernet and its derivations."""

    epoch: float
    readings: Mapping[str, float]
    """Seconds of the derivation, by method of the run."""


class Estimate(NamedTuple):
    """Estimated seconds for the runs of a plan that are not done."""

    one: float
    """Seconds with one run at a time."""
    several: float
    """Seconds with `ways` runs at a time."""
    ways: int
    recorded: int
    """Number of trained methods whose times come from finished runs; steps of `timed` ones were timed; `assumed` ones
    get the average of the others."""
    timed: int
    assumed: int
    failures: tuple[str, ...]
    """A sentence for every method whose first step fails."""

    def __str__(self) -> str:
        sources = (
            f"finished runs of {_methods(self.recorded)} like these" if self.recorded else "",
            f"a few timed steps of {_methods(self.timed)}, not compiled" if self.timed else "",
            f"their mean for {_methods(self.assumed)} more" if self.assumed else "",
        )
        spent = f"{clock(self.several)} with {self.ways} at a time, {clock(self.one)} one by one"
        return f"estimated time of the searches: {spent}; from {', and '.join(filter(None, sources))}"


def estimate(plan: Iterable[Job], store: Store, options: RunOptions, timing: bool) -> Estimate | None:
    """The estimated time of the runs of `plan` that are not done; None if there are none, or no estimate is possible.

    With `timing`, steps are timed for settings without a finished run. Not included: the start of processes,
    checkpoints and compiling. Raises `UserError` if the images for timing are missing.
    """
    jobs = list(plan)
    statuses = store.statuses({spec.run_id: spec for job in jobs for spec in (job.base, *job.specs)}.values())
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        if any(statuses[spec.run_id] != Status.DONE for spec in job.specs):
            groups.setdefault(replace(job.base, seed=0).run_id, []).append(job)
    if not groups or options.executor != "local":
        return None
    source = _Costs(store, options, time.monotonic() + PATIENCE if timing else 0.0)
    in_turn = sorted(groups.items(), key=lambda group: group[1][0].source_path is None)  # first what never ran yet
    jobs_to_cost = with_bar(in_turn, len(groups), "timing steps") if timing else in_turn
    costs = {key: source.of(equal_jobs) for key, equal_jobs in jobs_to_cost}
    known_costs = [cost for cost in costs.values() if cost]
    priced_jobs = [(job, costs[key]) for key, equal_jobs in groups.items() for job in equal_jobs]
    seconds_by_job = [_left(job, cost, store, statuses, options) for job, cost in priced_jobs if cost]
    if not timing and len(known_costs) < len(groups):
        return None
    unknown = [job for job, cost in priced_jobs if not cost and job.base.method not in source.failures]
    seconds_by_job += [fmean(seconds_by_job)] * len(unknown) if seconds_by_job else []
    parallel = min(
        len(seconds_by_job), options.jobs, environment.cores() if source.device == "cpu" else len(source.places)
    )
    several = max([sum(seconds_by_job) / max(1, parallel), *seconds_by_job])
    assumed = len(groups) - len(known_costs) - len(source.failures)
    failures = tuple(f"{name}: {reason}" for name, reason in source.failures.items())
    return Estimate(
        sum(seconds_by_job), several, parallel, len(known_costs) - source.timed, source.timed, assumed, failures
    )


def _left(job: Job, cost: Cost, store: Store, statuses: Mapping[str, Status], options: RunOptions) -> float:
    """Seconds that one worker needs for the rest of a job."""
    epochs, sight = int(job.base.protocol["epochs"]), run_progress(job, store)
    epochs_now = min(epochs, options.epochs_now or epochs)
    epochs_done = epochs if statuses[job.base.run_id] == Status.DONE else sight.epoch if sight else 0
    reading_seconds = [cost.readings[spec.method] for spec in job.specs if statuses[spec.run_id] != Status.DONE]
    return cost.epoch * max(0, epochs_now - epochs_done) + (
        sum(reading_seconds) if epochs_now == epochs or epochs_done == epochs else 0.0
    )


class _Costs:
    """Looks up the time of supernets on one device, or measures it until the time `until`."""

    def __init__(self, store: Store, options: RunOptions, until: float) -> None:
        self.store, self.options, self.until = store, options, until
        self.places = devices(options.device, options.jobs)
        self.device = self.places[0]
        self.timed = 0
        self.failures: dict[str, str] = {}

    def of(self, jobs: list[Job]) -> Cost | None:
        """The cost of each of `jobs`, which differ only by seed; None if unknown and not measurable in time."""
        return self._recorded(jobs[0]) or (self._timed(jobs[0]) if time.monotonic() < self.until else None)

    def _recorded(self, job: Job) -> Cost | None:
        machines = {spec.method: self._machines(job, spec) for spec in job.specs}
        if not all(machines.values()):
            return None
        training = [machine["train_seconds"] for machine in machines[job.base.method]]
        readings = {name: fmean(machine["selection_seconds"] for machine in ones) for name, ones in machines.items()}
        return Cost(fmean(training) / int(job.base.protocol["epochs"]), readings)

    def _machines(self, job: Job, spec: RunSpec) -> list[Machine]:
        """`machine.json` of finished runs like `spec` with other seeds and the same options and machine."""
        machines = list[Machine]()
        for folder in sorted(self.store.folder(spec).parent.glob("seed-*")):
            other = read_spec(folder) if (folder / "record.json").exists() else None
            machine = read_json(folder / "machine.json", Machine) if other == replace(spec, seed=_seed(other)) else None
            machines += [machine] if machine and self._made_so(job, machine) else []
            if len(machines) == RECORDS:
                break
        return machines

    def _made_so(self, job: Job, machine: Machine) -> bool:
        return (
            self._ways(job)
            == (
                machine.get("device"),
                machine.get("environment", {}).get("processor"),
                machine.get("threads"),
                bool(machine.get("compiled")),
                bool(machine.get("graphs")),
                machine.get("formulation", "shared"),
            )
            and {"train_seconds", "selection_seconds"} <= machine.keys()
        )

    def _ways(self, job: Job) -> tuple[object, ...]:
        compiled = self.options.compiles(job.base.protocol, self.device)
        own_options = self.options.threads, compiled, self.options.graphs, self.options.formulation
        return name_of(self.device), self._processor, *own_options

    @cached_property
    def _processor(self) -> str:
        return environment.processor()

    def _timed(self, job: Job) -> Cost | None:
        threads = torch.get_num_threads()
        torch.set_num_threads(self.options.threads)
        try:
            cost = _rehearsed(job, torch.device(self.device), self.options.formulation)
        except UserError:
            raise
        except Exception as error:  # a user's code may raise anything
            location = next(filter(None, (error_line(error, path) for path in job.files.values())), "")
            self.failures[job.base.method] = " ".join(filter(None, (f"{type(error).__name__}: {error}", location)))
            return None
        finally:
            torch.set_num_threads(threads)
        self.timed += 1
        return cost


def _rehearsed(job: Job, device: torch.device, formulation: str) -> Cost:
    images, split = load_images(job.base.dataset), given_split(job.base)
    search = Rehearsal(job.base, images, device, job.source_path, split, formulation=formulation)
    try:
        epoch = search.epoch_seconds()
    except NotFused:  # the run will go on without, too
        return _rehearsed(job, device, "shared")
    files = job.files
    return Cost(
        epoch,
        {spec.method: search.reading_seconds(spec, epoch, files.get(spec.selection_source)) for spec in job.specs},
    )


def _seed(spec: RunSpec | None) -> int:
    return spec.seed if spec else 0


def _methods(count: int) -> str:
    return f"{count} method{'s' * (count != 1)}"
