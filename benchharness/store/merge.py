"""Merges results folders of several machines: every run is kept once; runs with different results are set aside."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchharness.errors import UserError
from benchharness.io import files, ground_truth
from benchharness.records import RunRecord, RunSpec, Status
from benchharness.store.differences import differences
from benchharness.store.listing import place, run_folders
from benchharness.store.lock import alive
from benchharness.store.run_folder import not_counted, read_record, read_spec, status
from benchharness.store.schemas import Line

_PASSING: Final = ("heartbeat", "run.lock", "*.tmp")
"""Files of a run's folder that exist only while a process works on it."""


@dataclass
class Merged:
    """Result of a merge: counts, and a sentence for everything that needs attention."""

    runs: int = 0
    """Runs in all source folders."""
    new: int = 0
    """Runs copied into `out`."""
    same: int = 0
    """Runs already in `out` with equal results."""
    shorter: int = 0
    """Runs not copied, since the copy in `out` has more epochs."""
    conflicts: list[str] = field(default_factory=list)
    """Runs already in `out` with other results; copied to a folder beside it."""
    left: list[str] = field(default_factory=list)
    """Runs not copied, since a process works on them or no reader would count them."""


def merge(sources: Iterable[Path], out: Path) -> Merged:
    """Copy every run of the `sources` into `out`, which may hold runs already; the sources stay as they are.

    A run that occurs in two of them is copied once. If both are finished and their results differ, the first stays in
    `out`, and the other is copied to `OUT.conflicts/1/...` (the number of its source), with all runs derived from its
    supernet. Raises `UserError` if a source is not a results folder or holds nothing, if it lies in `out` or around it,
    or if `out` is a file.
    """
    merged, sources = Merged(), list(sources)
    files.check_folder(out, "--out")
    for source in sources:
        _check_folders(source, out)
    runs = [_runs_in(source) for source in sources]
    aside, scratch = out.with_name(f"{out.name}.conflicts"), out.with_name(f"{out.name}.merging")
    shutil.rmtree(scratch, ignore_errors=True)
    for number, (source, folders) in enumerate(zip(sources, runs, strict=True), 1):
        _Source(source, folders, out, aside / str(number), scratch, merged).merge()
        _take_trainings(source, out)
    return merged


def _take_trainings(source: Path, out: Path) -> None:
    """Add the ground truth that was trained for each suite of `source` to the same suite in `out`."""
    for path in ground_truth.journals(source):
        suite = path.resolve().parts[-3]
        ground_truth.add_trainings(out / suite / ground_truth.FOLDER / path.name, ground_truth.read_trainings(path))


def _check_folders(source: Path, out: Path) -> None:
    files.check_results(source)
    source_path, out_path = source.resolve(), out.resolve()
    if source_path.is_relative_to(out_path) or out_path.is_relative_to(source_path):
        raise UserError(f"--out {out} and {source} lie in each other; choose another folder")


def _runs_in(source: Path) -> list[Path]:
    """The folders of runs in `source`; raises `UserError` if it holds neither runs nor trainings."""
    folders = [source / run_path for run_path in run_folders(source)]
    if not folders and not any(ground_truth.journals(source)):
        raise UserError(f"{files.readable(source)!r} holds no run to merge; `benchharness run --out FOLDER` makes runs")
    return folders


@dataclass
class _Source:
    root: Path
    folders: list[Path]
    out: Path
    aside: Path
    scratch: Path
    merged: Merged
    contested: set[str] = field(default_factory=set)
    """Ids of runs whose results differ from those in `out`."""

    def merge(self) -> None:
        """Merge every run of this source, supernets before the runs that share them."""
        self.merged.runs += len(self.folders)
        reasons = not_counted(self.root, self.folders)
        self.merged.left += [f"{folder}: {reasons[folder]}" for folder in self.folders if folder in reasons]
        runs = list(self._sound(folder for folder in self.folders if folder not in reasons))
        for folder, spec, record in sorted(runs, key=lambda run: _is_reading(run[2])):
            self._take(folder, spec, record)

    def _sound(self, folders: Iterable[Path]) -> Iterator[tuple[Path, RunSpec, RunRecord | None]]:
        for folder in folders:
            try:
                spec, record = read_spec(folder), read_record(folder)
            except UserError as error:
                self.merged.left.append(str(error))
                continue
            if spec is None or alive(folder):
                reason = "spec.json is missing or damaged" if spec is None else "somebody is working on it"
                self.merged.left.append(f"{folder}: {reason}")
            else:
                yield folder, spec, record

    def _take(self, folder: Path, spec: RunSpec, record: RunRecord | None) -> None:
        suite = folder.resolve().parts[-4]
        relative = Path(suite, *place(spec, spec.run_id))
        target = self.out / relative
        if alive(target):
            self.merged.left.append(f"{folder}: somebody is working on {target}")
        elif record is not None and record.supernet in self.contested - {spec.run_id}:
            self._set_aside(folder, spec, relative, [f"read out of run {record.supernet}, of which there are two"])
        elif status(target) == Status.ABSENT:
            self._copy(folder, target)
            self.merged.new += 1
        elif record is None or read_record(target) is None:
            self._take_further(folder, target)
        elif differing := list(differences(target, folder)):
            self._set_aside(folder, spec, relative, differing)
        else:
            self.merged.same += 1

    def _take_further(self, folder: Path, target: Path) -> None:
        """Keep the run with more epochs; at least one of the two is unfinished."""
        if _progress(folder) > _progress(target):
            self._copy(folder, target)
            self.merged.new += 1
        else:
            self.merged.shorter += 1

    def _set_aside(self, folder: Path, spec: RunSpec, relative: Path, differing: list[str]) -> None:
        self.contested.add(spec.run_id)
        if status(self.aside / relative) == Status.ABSENT:
            self._copy(folder, self.aside / relative)
        self.merged.conflicts.append(
            f"{spec.method} seed {spec.seed}: {folder} is not as {self.out / relative}, and was copied to {self.aside} "
            f"({'; '.join(differing)})"
        )

    def _copy(self, folder: Path, target: Path) -> None:
        """Replace `target` by a copy of `folder`, atomically."""
        new_copy, old_copy = self.scratch / "new", self.scratch / "old"
        for scratch_path in (new_copy, old_copy):
            shutil.rmtree(scratch_path, ignore_errors=True)
        with files.writing(target):
            shutil.copytree(folder, new_copy, ignore=shutil.ignore_patterns(*_PASSING))
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(old_copy)
            new_copy.rename(target)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _is_reading(record: RunRecord | None) -> bool:
    """Whether a run is finished and derives its cell from another run's supernet."""
    return record is not None and record.supernet != record.run_id


def _progress(folder: Path) -> tuple[bool, int]:
    """Whether the run in `folder` is finished, and its epochs."""
    return read_record(folder) is not None, len(files.read_lines(folder / "trace.jsonl", Line))
