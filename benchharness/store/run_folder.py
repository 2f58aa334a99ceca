"""One run's folder: the only code that writes into it."""

import hashlib
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from benchharness.errors import UserError
from benchharness.io import files
from benchharness.records import OtherVersion, RunRecord, RunSpec, Status, digest
from benchharness.space import from_string
from benchharness.store.listing import misplaced, run_folders
from benchharness.store.lock import alive, clear, lease
from benchharness.store.schemas import Line, Machine, fitting

D = TypeVar("D", RunSpec, RunRecord)

UNSOUND: Final = "checkpoint.pt.unsound"
"""Name of a checkpoint that was set aside."""
METHOD: Final = "method.py"
"""Name of the copy of the user's method file, beside its supernet."""
SELECTION: Final = "selection.py"
"""Name of the copy of the user's file whose selection reads another method's supernet, beside the derived cell."""
READING: Final = "reading.json"
"""File in which a run reports how far the selection of its cell is."""
TIMES: Final = frozenset({"seconds", "processor_seconds", "compile_seconds", "peak_memory_bytes", "replayed_steps"})
"""Keys of a trace's lines that depend on the machine, the time, and on where a run was resumed."""


@dataclass(frozen=True)
class Run:
    """A run claimed by this process, which alone writes into `folder`."""

    spec: RunSpec
    folder: Path

    @property
    def done(self) -> bool:
        """Whether the run is finished."""
        return read_record(self.folder) is not None

    @property
    def checkpoint(self) -> Path:
        """Path of the search's state after its last finished epoch."""
        return self.folder / "checkpoint.pt"

    @property
    def hung(self) -> Path:
        """File in which a hanging process leaves its stacks."""
        return self.folder / "hung.txt"

    @property
    def method(self) -> Path:
        """Path of the copy of the user's method file."""
        return self.folder / METHOD

    @property
    def selection(self) -> Path | None:
        """Path of the copy of the user's file whose selection reads another method's supernet; None without one."""
        return self.folder / SELECTION if self.spec.selection_source else None

    def copy_sources(self, sources: Mapping[str, bytes], method: bool) -> None:
        """Copy the user's files of this run, of the content `sources` by SHA-256, into its folder.

        These are the method's own file if `method`, and the file of its selection. Raises `UserError` if a content is
        missing or does not have its hash.
        """
        wanted_files = {METHOD: self.spec.source if method else "", SELECTION: self.spec.selection_source}
        for name, sha256 in wanted_files.items():
            source = sources.get(sha256, b"")
            if sha256 and hashlib.sha256(source).hexdigest() != sha256:
                raise UserError(
                    f"the {Path(name).stem} file of {self.spec.method} has changed since the plan was made; give the "
                    "command again"
                )
            if sha256 and files.read_bytes(self.folder / name) != source:
                files.write_bytes(self.folder / name, source)

    def set_aside(self, reason: str) -> str:
        """Rename a checkpoint that the search cannot resume from; returns a sentence with the `reason`."""
        aside = self.checkpoint.with_name(UNSOUND)
        self.checkpoint.replace(aside)
        return f"the search started again: {self.checkpoint} {reason}, and was renamed to {aside.name}"

    def lines(self) -> list[Line]:
        """The trace so far, one dictionary per epoch."""
        return files.read_lines(self.folder / "trace.jsonl", Line)

    def log(self, line: Mapping[str, Any]) -> None:
        """Add an epoch to the trace, synced to disk."""
        files.append_line(self.folder / "trace.jsonl", line)

    def keep(self, epochs: int) -> None:
        """Cut the trace to its first `epochs` lines: those that the checkpoint knows of."""
        files.keep_lines(self.folder / "trace.jsonl", epochs)
        if len(self.arrays().get("alphas", ())) > epochs:  # written by a pause
            (self.folder / "trace.npz").unlink()

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of a finished run, or of one that paused."""
        return read_arrays(self.folder)

    def record_data(self) -> Mapping[str, Any]:
        """The record's facts about the images; empty if the run is not finished."""
        record = read_record(self.folder)
        return record.data if record else {}

    def machine(self) -> Machine:
        """The content of `machine.json`; `attempts` says how the run came about."""
        return files.read_json(self.folder / "machine.json", Machine) or {}

    def begin(self, **facts: Any) -> None:
        """Record a new attempt with its `facts`, such as its first epoch, and remove what the last one left."""
        attempts = [*self.machine().get("attempts", ()), {"started": timestamp(), **facts}]
        files.write_json(self.folder / "machine.json", {**self.machine(), "attempts": attempts})
        for name in ("record.json", "failure.json", READING):  # or an old record would count while the run is made anew
            (self.folder / name).unlink(missing_ok=True)

    def tell(self, share: float) -> None:
        """Report the share of the selection that is done, until `finish` or `fail`."""
        files.write_json(self.folder / READING, {"share": share})

    def pause(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays so far, for readers; the next attempt resumes from the checkpoint."""
        files.write_arrays(self.folder / "trace.npz", arrays)

    def finish(self, record: RunRecord, arrays: Mapping[str, np.ndarray], machine: Mapping[str, Any]) -> None:
        """Write the run's results, and last the record with the digests of the other files: the run is then done."""
        files.write_arrays(self.folder / "trace.npz", arrays)
        contents = {name: files.read_bytes(self.folder / name) for name in _DIGESTS}
        record = replace(record, files={name: _DIGESTS[name](content) for name, content in contents.items() if content})
        files.write_json(self.folder / "machine.json", {**self.machine(), **machine, "finished": timestamp()})
        for name in ("failure.json", READING):
            (self.folder / name).unlink(missing_ok=True)
        files.write_text(self.folder / "record.json", record.to_json() + "\n")

    def fail(self, error: BaseException, trail: str = "") -> None:
        """Record why the run failed, with the traceback `trail`; the next attempt resumes from the checkpoint."""
        failure = {"type": type(error).__name__, "message": str(error), "when": timestamp()}
        (self.folder / READING).unlink(missing_ok=True)
        trail = trail or "".join(traceback.format_exception(error))
        files.write_json(self.folder / "failure.json", {**failure, "traceback": trail})


@contextmanager
def claimed(spec: RunSpec, folder: Path) -> Iterator[Run | None]:
    """Yields the run claimed for this process until the block ends; None if another process works on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with lease(folder) as ours:
        run = Run(spec, folder)
        if ours:
            _check_spec(run)
        yield run if ours else None
        if ours and run.done:
            clear(folder)


def status(folder: Path) -> Status:
    """Status of the run in `folder`. A run without spec is not done, since readers would not find it."""
    if read_record(folder) is not None and (spec := read_spec(folder)) and _is_called_after(folder, spec.run_id):
        return Status.DONE
    if alive(folder):
        return Status.RUNNING
    if (folder / "failure.json").exists():
        return Status.FAILED
    return Status.STALE if (folder / "spec.json").exists() else Status.ABSENT


def _is_called_after(folder: Path, run_id: str) -> bool:
    """Whether the folder, or the target of the link, is named after the run."""
    return any(path.name.endswith(f"-{run_id}") for path in (folder, folder.absolute(), folder.resolve()))


def read_record(folder: Path) -> RunRecord | None:
    """The record of the run in `folder`; None if `examined_record` finds a problem.

    Raises `UserError` if another version wrote it.
    """
    record, problem = examined_record(folder)
    return None if problem else record


def examined_record(folder: Path) -> tuple[RunRecord | None, str]:
    """The record in `folder`, and a sentence on why it does not count as this run's; empty if it does."""
    try:
        record = _read(RunRecord, folder / "record.json")
    except OtherVersion:
        raise
    except UserError as error:
        return None, f"record.json is {error}"
    if not _is_called_after(folder, record.run_id):
        return record, f"record.json is that of run {record.run_id}"
    if not _is_cell(record.arch):
        return record, f"record.json names no cell ({record.arch[:80]!r})"
    others = {name: files.read_bytes(folder / name) for name in record.files if (folder / name).exists()}
    changed_names = changed_files(record, others)
    return (
        record,
        f"{' and '.join(changed_names)} is not as it was when record.json was written" if changed_names else "",
    )


@lru_cache(maxsize=1 << 14)
def _is_cell(text: str) -> bool:
    try:
        return bool(from_string(text))
    except UserError:
        return False


def changed_files(record: RunRecord, others: Mapping[str, bytes | None]) -> list[str]:
    """Names of the files in `others` whose content is not that for which `record` was written."""
    known_contents = {name: content for name, content in others.items() if name in _DIGESTS and name in record.files}
    return [name for name, content in known_contents.items() if _DIGESTS[name](content or b"") != record.files[name]]


def read_arrays(folder: Path) -> dict[str, np.ndarray]:
    """The arrays in `folder`; empty if their file is missing or damaged, or an array has a wrong shape."""
    arrays = files.read_arrays(folder / "trace.npz")
    return arrays if fitting(arrays) else {}


def read_spec(folder: Path) -> RunSpec | None:
    """The spec in `folder`; None if it is missing or damaged. Raises `UserError` if another version wrote it."""
    try:
        return _read(RunSpec, folder / "spec.json")
    except OtherVersion:
        raise
    except UserError:
        return None


def not_counted(root: Path, folders: Sequence[Path]) -> dict[Path, str]:
    """The run folders under `root` that do not count, with the reason: see `listing.misplaced`."""
    specs: dict[str, tuple[str, RunSpec]] = {}
    for folder in folders:
        with suppress(UserError, OSError):  # written by another version, or unreadable: reported elsewhere
            if spec := read_spec(folder):
                specs[folder.relative_to(root).as_posix().removeprefix(".")] = spec.run_id, spec
    return {root / run_path: reason for run_path, reason in misplaced(root, specs).items()}


def find_run(results: Path, run: str) -> Path:
    """The folder of one run: `run` is that folder, or its name or the first digits of its id in `results`.

    Raises `UserError` unless there is one.
    """
    with suppress(OSError):  # such as a name too long
        if (Path(run) / "spec.json").is_file():
            return Path(run).resolve()
    name = re.fullmatch(r"(?:seed-\d+-)?([0-9a-f]{4,16})", run)
    if name is None:
        advice = "give its folder, or 4 to 16 digits from the end of the folder's name"
        raise UserError(f"{files.readable(run[-100:])!r} is not a run; {advice}")
    run_id = name[1]
    files.check_results(results)
    run_paths = [results / run_path for run_path in run_folders(results)]
    called_so = [path for path in run_paths if path.name.rpartition("-")[2].startswith(run_id)]
    copies = not_counted(results, called_so)
    matching = [path for path in called_so if path not in copies and (path / "spec.json").exists()]
    if len(matching) != 1:
        advice = "; more digits of it, or the folder of one suite as --results, tell them apart" if matching else ""
        raise UserError(f"{len(matching) or 'no'} runs under {results} have an id that begins with {run_id}{advice}")
    return matching[0]


def timestamp() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _check_spec(run: Run) -> None:
    """Write the spec again if it is missing or damaged; the run id in the folder's name vouches for it."""
    if read_spec(run.folder) != run.spec:
        files.write_text(run.folder / "spec.json", run.spec.to_json() + "\n")


def supernet_folder(folder: Path, record: RunRecord) -> Path | None:
    """The folder of the run that trained the supernet of the run in `folder`; None if it is not in this suite."""
    if record.supernet == record.run_id:
        return folder
    absolute_path = folder.absolute()
    name = f"{absolute_path.name.rpartition('-')[0]}-{record.supernet}"
    return next(
        (method / name for method in sorted(absolute_path.parents[1].iterdir()) if (method / name).is_dir()), None
    )


def _read(kind: type[D], path: Path) -> D:
    try:
        return kind.from_json(files.read_bytes(path) or b"")
    except OtherVersion as error:
        raise OtherVersion(f"{path}: {error}") from None


def _digest_of_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _digest_of_lines(content: bytes) -> str:
    """Digest of a trace without the values that depend on machine and time."""
    return digest(
        [
            {key: value for key, value in line.items() if key not in TIMES}
            for line in files.lines_in(content, dict[str, Any])
        ]
    )


_DIGESTS: Final[dict[str, Callable[[bytes], str]]] = {"trace.jsonl": _digest_of_lines, "trace.npz": _digest_of_bytes}
