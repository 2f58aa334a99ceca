"""Runs on machines that do not share the results folder: made in a temporary folder, their files sent back."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchharness.errors import UserError
from benchharness.records import Status
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.worker import Open, Outcome, execute, open_search
from benchharness.store import Run, Store
from benchharness.store.transfer import RunFiles, pack, unpack


class RemoteResult(NamedTuple):
    """What a worker sends back for a job."""

    outcomes: list[Outcome]
    files_by_run: Mapping[str, RunFiles]
    """By run id."""


def finished_files(job: Job, store: Store) -> dict[str, RunFiles]:
    """The files of the job's finished runs, which a worker needs to check that its supernet is the same."""
    done_specs = [spec for spec in job.specs if store.status(spec) == Status.DONE]
    return {spec.run_id: pack(store.folder(spec)) for spec in done_specs}


def execute_remotely(
    job: Job,
    suite: str,
    options: RunOptions,
    sources: Mapping[str, bytes],
    files_by_run: Mapping[str, RunFiles],
    scratch: str | None = None,
    make: Open = open_search,
) -> RemoteResult:
    """`worker.execute` in a temporary store within `scratch` that starts with `files_by_run` and is then removed."""
    with tempfile.TemporaryDirectory(prefix="benchharness-", dir=scratch) as folder:
        store = Store(Path(folder), suite)
        for spec in job.specs:
            if spec.run_id in files_by_run:
                with store.claim(spec) as run:
                    assert run is not None, "nobody else knows this folder"
                    unpack(run, files_by_run[spec.run_id])
        outcomes = execute(job, store, options, make, sources)
        new_specs = [spec for spec in job.specs if spec.run_id not in files_by_run and store.folder(spec).is_dir()]
        return _packed(outcomes, {spec.run_id: store.folder(spec) for spec in new_specs})


def _packed(outcomes: list[Outcome], folders: Mapping[str, Path]) -> RemoteResult:
    try:
        return RemoteResult(outcomes, {run_id: pack(folder) for run_id, folder in folders.items()})
    except UserError as error:
        return RemoteResult([Outcome(outcome.spec, "failed", str(error)) for outcome in outcomes], {})


def store_results(remote: RemoteResult, store: Store) -> Iterator[Outcome]:
    """Write the runs that came back into `store`, except those that another process has finished meanwhile."""
    for outcome in remote.outcomes:
        if outcome.state == "failed" and outcome.spec.run_id not in remote.files_by_run:
            yield outcome  # it was not begun, for want of a supernet, or is too large
            continue
        with store.claim(outcome.spec) as run:
            if run is None:
                yield Outcome(outcome.spec, "busy")
            elif run.done:
                yield Outcome(outcome.spec, "done")
            else:
                yield _written(outcome, remote, run)


def _written(outcome: Outcome, remote: RemoteResult, run: Run) -> Outcome:
    try:
        unpack(run, remote.files_by_run.get(outcome.spec.run_id, {}))
    except UserError as error:
        run.fail(error)
        return Outcome(outcome.spec, "failed", str(error))
    return outcome
