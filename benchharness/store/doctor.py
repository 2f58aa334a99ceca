"""Checks a results folder: what is wrong with which run, and what to do about it. Reads only."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchharness.errors import UserError
from benchharness.io import files, ground_truth
from benchharness.records import RunSpec, Status
from benchharness.store import parallel_read
from benchharness.store.listing import NAME, run_folders
from benchharness.store.lock import alive
from benchharness.store.run_folder import (
    METHOD,
    READING,
    SELECTION,
    UNSOUND,
    examined_record,
    not_counted,
    read_arrays,
    read_record,
    read_spec,
    status,
    supernet_folder,
)
from benchharness.store.schemas import Failure, Line, Machine

AGAIN: Final = "the command that made it, given again, puts it right"
UNDO: Final = "delete record.json there; the command that made the run then makes it again"
APART: Final = "comparing them compares images too; move one kind to a suite of its own"
_KNOWN: Final = (
    *("spec.json", "record.json", "machine.json", "failure.json", "trace.jsonl", "trace.npz"),
    *("checkpoint.pt", METHOD, SELECTION, READING, "hung.txt", "heartbeat", "run.lock"),
)


class Finding(NamedTuple):
    """A problem of one run, and its remedy."""

    path: Path
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class Diagnosis(NamedTuple):
    """Result of examining every run of a folder."""

    runs: int
    findings: tuple[Finding, ...]
    sources: Mapping[str, int]
    """Number of finished runs by the digest of the package source that made them, if recorded."""


def examine(results: Path) -> Diagnosis:
    """Examine every run under `results`; raises `UserError` if there is no such folder."""
    files.check_results(results)
    folders = [results / run_path for run_path in run_folders(results)]
    reasons = not_counted(results, folders)
    findings_by_folder = parallel_read.each(lambda folder: list(_folder(folder, reasons.get(folder, ""))), folders)
    counted_folders = [folder for folder in folders if folder not in reasons]
    sources = Counter(filter(None, parallel_read.each(_source, counted_folders)))
    findings = (*chain.from_iterable(findings_by_folder), *_mixed(counted_folders), *_trainings(results))
    return Diagnosis(len(folders), findings, sources)


def _trainings(results: Path) -> Iterator[Finding]:
    """Ground-truth files with damaged lines."""
    for path in ground_truth.journals(results):
        lines, sound_count = (files.read_bytes(path) or b"").count(b"\n"), len(ground_truth.read_trainings(path))
        if lines != sound_count:
            yield Finding(
                path, f"{lines - sound_count} of {lines} lines are damaged, whose cells have no accuracy", AGAIN
            )


def _source(folder: Path) -> str:
    with suppress(UserError, OSError):
        record = read_record(folder)
        return record.package_sha256 if record else ""
    return ""


def _mixed(folders: Sequence[Path]) -> Iterator[Finding]:
    """Suites whose runs saw different images under one data set name."""
    counts_by_suite: dict[tuple[Path, str], Counter[str]] = {}
    labels: dict[str, str] = {}
    for folder, images in zip(folders, parallel_read.each(_images, folders), strict=True):
        if images is not None:
            dataset, images_label, sha256 = images
            labels.setdefault(sha256, images_label)
            counts_by_suite.setdefault((folder.parent.parent, dataset), Counter())[sha256] += 1
    for (suite, dataset), counts in counts_by_suite.items():
        if len(counts) > 1:
            each = ", ".join(f"{count} on {labels[sha256]} (sha256 {sha256[:16]})" for sha256, count in counts.items())
            yield Finding(suite, f"runs on {dataset} saw different images: {each}", APART)


def _images(folder: Path) -> tuple[str, str, str] | None:
    """Data set of a finished run, and label and digest of its images; None of any other run."""
    try:
        spec, record = read_spec(folder), read_record(folder)
    except (UserError, OSError):  # these have a finding of their own
        return None
    if spec is None or record is None or "sha256" not in record.data:
        return None
    return spec.dataset, str(record.data.get("label")), str(record.data["sha256"])


def _folder(folder: Path, reason: str) -> Iterator[Finding]:
    """Problems of one run. A run in progress is skipped, since its files are being written.

    A run that does not count (`reason` says why) has that as its only problem.
    """
    if reason:
        has_run_name = NAME.fullmatch(folder.name) and "its spec.json" in reason
        remedy = f"delete spec.json there; {AGAIN}" if has_run_name else "delete it, or move it out of the results"
        yield Finding(folder, f"{reason}, so that no report counts it", remedy)
        return
    try:
        if alive(folder):
            return
        spec = read_spec(folder)
        state = status(folder)
    except UserError as error:  # written by another version; the error says what to do
        yield Finding(folder, "of another version", str(error).removeprefix(f"{folder}/"))
        return
    except OSError as error:
        yield Finding(folder, f"cannot be read ({error})", "see to the folder's permissions, or to its disk")
        return
    if spec is None:
        yield Finding(folder, "spec.json is missing or damaged, so that no report counts this run", AGAIN)
    else:
        for check in CHECKS if state == Status.DONE else (_unfinished,):
            yield from check(folder, spec)
    yield from _strangers(folder)


def _unfinished(folder: Path, spec: RunSpec) -> Iterator[Finding]:
    failure = files.read_json(folder / "failure.json", Failure)
    if os.path.lexists(folder / "record.json"):
        yield Finding(folder, f"{examined_record(folder)[1]}, so that the run does not count as done", AGAIN)
    elif failure is not None:
        reason = f"{failure['type']}: {failure['message']}"[:200]
        problem = f"it failed ({reason})"
        remedy = f"the command that made it, given again, tries it again; `benchharness show {spec.run_id}` says where"
        yield Finding(folder, problem, remedy)
    else:
        epochs = len(files.read_lines(folder / "trace.jsonl", Line))
        yield Finding(
            folder, f"it was stopped after {epochs} of {spec.protocol.get('epochs')} epochs", "go on: " + AGAIN
        )


def _record(folder: Path, _: RunSpec) -> Iterator[Finding]:
    record = read_record(folder)
    assert record is not None
    if (trained_folder := supernet_folder(folder, record)) is None or not (trained_folder / "spec.json").exists():
        remedy = "put that run's folder back beside it, or delete this one"
        yield Finding(folder, f"the supernet it was read out of, run {record.supernet}, is not here", remedy)


def _trace(folder: Path, _: RunSpec) -> Iterator[Finding]:
    """Check that the trace has one line per epoch, and the arrays one row."""
    arrays = read_arrays(folder)
    if "scores" not in arrays:
        yield Finding(folder, "trace.npz is missing or damaged", UNDO)
        return
    if not all(np.isfinite(arrays[name]).all() for name in ("alphas", "expected") if name in arrays):
        yield Finding(folder, "trace.npz holds numbers that are not finite", UNDO)
    epochs = [line["epoch"] for line in files.read_lines(folder / "trace.jsonl", Line)]
    if "alphas" in arrays and epochs != list(range(1, len(arrays["alphas"]) + 1)):
        problem = f"trace.jsonl has {len(epochs)} whole lines for {len(arrays['alphas'])} epochs"
        yield Finding(folder, problem, "delete checkpoint.pt too: " + UNDO)


def _circumstances(folder: Path, spec: RunSpec) -> Iterator[Finding]:
    if files.read_json(folder / "machine.json", Machine) is None:
        yield Finding(folder, "machine.json is missing or damaged: its times are unknown", "results stand; or " + UNDO)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists() and not files.is_sound(checkpoint):
        remedy = "delete it; a later reading then trains the supernet again"
        yield Finding(folder, "checkpoint.pt is damaged", remedy)
    if spec.source and (folder / "trace.jsonl").exists() and not (folder / METHOD).exists():
        yield Finding(folder, f"{METHOD}, the user's own method, is not here", "put back the file it was made with")
    if spec.selection_source and not (folder / SELECTION).exists():
        yield Finding(folder, f"{SELECTION}, the user's own, is not here", "put back the file it was made with")


def _strangers(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".tmp":
            yield Finding(folder, f"{path.name} was left by a process that was killed", "delete it, or leave it")
        elif path.name == UNSOUND:
            yield Finding(folder, f"{path.name} was set aside, since no search could resume from it", "delete it")
        elif path.name not in _KNOWN:
            yield Finding(folder, f"{path.name} is not ours", "it does no harm; delete it if you do not need it")


CHECKS: Final[tuple[Callable[[Path, RunSpec], Iterator[Finding]], ...]] = (_record, _trace, _circumstances)
