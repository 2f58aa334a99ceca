"""Repeats a finished run from its folder alone, and compares the results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchharness.compute.devices import devices
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.records import RunSpec, Status
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.worker import Open, execute, open_search
from benchharness.store import Store
from benchharness.store.differences import differences
from benchharness.store.run_folder import METHOD, SELECTION, read_record, read_spec, status, supernet_folder
from benchharness.store.schemas import Machine


class Repeat(NamedTuple):
    """The result of repeating a run."""

    folder: Path
    """The folder of the repeated run."""
    differences: tuple[str, ...]
    """How its results differ from the first ones; empty if every bit is the same."""
    circumstances: tuple[str, ...]
    """Versions, processor or device that have changed since."""


def repeat(folder: Path, scratch: Path, device: str, make: Open = open_search) -> Repeat:
    """Repeat the finished run in `folder` from its beginning, in the folder `scratch`.

    Threads, compilation and formulation are those of the first time, and so are CUDA graphs and fused cells if `device`
    supports them; a user's method is loaded from the copy beside its supernet. Raises `UserError` if the run is not
    finished, if its supernet's folder is missing, or if the repetition fails.
    """
    job, base = job_of(folder)
    store = Store(scratch.absolute(), "again")
    sources = _sources(job)
    options = RunOptions(device=devices(device, 1)[0]).as_recorded(_machine(base))
    outcomes = execute(job, store, options, make, sources)
    repeated_folder = store.folder(job.specs[-1])
    if outcomes[-1].state != "done":
        raise UserError(f"run {job.specs[-1].run_id} cannot be repeated: {outcomes[-1].message}")
    return Repeat(
        repeated_folder, tuple(differences(folder, repeated_folder)), tuple(_circumstances(folder, repeated_folder))
    )


def _sources(job: Job) -> dict[str, bytes]:
    """The contents of a job's files by SHA-256; raises `UserError` if one is not where the run was made."""
    contents = {}
    for sha256, path in job.files.items():
        content = files.read_bytes(path)
        if content is None:
            raise UserError(f"{path}, the user's own file that the run was made with, is not here")
        contents[sha256] = content
    return contents


def job_of(folder: Path) -> tuple[Job, Path]:
    """The job of the run in `folder` alone, with the copies of the user's files, and the folder of its supernet."""
    spec, record = _spec(folder), read_record(folder)
    if record is None or status(folder) != Status.DONE:
        raise UserError(f"{folder} holds no finished run, so there is nothing to compare with")
    if record.supernet == spec.run_id:
        return Job(spec, (), {spec.source: folder / METHOD} if spec.source else {}), folder
    base = supernet_folder(folder, record)
    if base is None:
        raise UserError(f"the supernet that {folder} was read out of, run {record.supernet}, is not beside it")
    copies = {spec.source: base / METHOD, spec.selection_source: folder / SELECTION}
    return Job(_spec(base), (spec,), {sha256: path for sha256, path in copies.items() if sha256}), base


def _spec(folder: Path) -> RunSpec:
    spec = read_spec(folder)
    if spec is None:
        raise UserError(f"{folder / 'spec.json'} is missing or damaged; `benchharness doctor` says what to do")
    return spec


def _machine(folder: Path) -> Machine:
    return files.read_json(folder / "machine.json", Machine) or {}


def _circumstances(first: Path, repeated_folder: Path) -> Iterator[str]:
    before, after = _flat(first), _flat(repeated_folder)
    for key in before:
        if before[key] != after.get(key):
            yield f"{key}: {before[key]} then, {after.get(key)} now"


def _flat(folder: Path) -> dict[str, Any]:
    machine, record = _machine(folder), files.read_json(folder / "record.json", dict[str, Any]) or {}
    environment = machine.get("environment") or {}
    source = {"source of benchharness": record["package_sha256"]} if record.get("package_sha256") else {}
    facts = {
        **source,
        "device": machine.get("device"),
        "threads": machine.get("threads"),
        "python": environment.get("python"),
    }
    return {**facts, "processor": environment.get("processor"), **(environment.get("packages") or {})}
