"""One run's folder: the only code that writes into it."""

import hashlib
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchharness.errors import UserError
from benchharness.io import files
from benchharness.records import RunRecord, RunSpec, Status
from benchharness.store.lock import alive, clear, lease

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A run that this process has claimed, so that it alone writes into `folder`."""

    spec: RunSpec
    folder: Path

    @property
    def done(self) -> bool:
        """Whether its record is there: nothing of it is written again."""
        return read_record(self.folder) is not None

    @property
    def checkpoint(self) -> Path:
        """Where the search's state after its last finished epoch lies; written with `saving`."""
        return self.folder / "checkpoint.pt"

    @property
    def hung(self) -> Path:
        """Where a process that hangs leaves word of what it was at."""
        return self.folder / "hung.txt"

    def method_file(self, source: bytes) -> Path:
        """The user's method file, kept here because the spec has only its hash; raises `UserError` on another one."""
        path = self.folder / "method.py"
        if hashlib.sha256(source).hexdigest() != self.spec.source:
            raise UserError(f"the method file of {self.spec.method} was changed after the plan was made; plan anew")
        if not path.exists() or path.read_bytes() != source:
            files.write_bytes(path, source)
        return path

    def saving(self) -> AbstractContextManager[Path]:
        """A temporary path that becomes `checkpoint` on leaving the block, wholly or not at all."""
        return files.replacing(self.checkpoint)

    def lines(self) -> list[dict[str, Any]]:
        """The trace so far, one object an epoch."""
        return files.read_lines(self.folder / "trace.jsonl")

    def log(self, line: Mapping[str, Any]) -> None:
        """Add an epoch to the trace, synced to disk."""
        files.append_line(self.folder / "trace.jsonl", line)

    def keep(self, epochs: int) -> None:
        """Cut the trace to its first `epochs` lines: those that the checkpoint knows of."""
        files.keep_lines(self.folder / "trace.jsonl", epochs)
        if len(self.arrays().get("alphas", ())) > epochs:  # as a pause left them
            (self.folder / "trace.npz").unlink()

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of a finished run, or those that a pause left."""
        return files.read_arrays(self.folder / "trace.npz")

    def record_data(self) -> Mapping[str, Any]:
        """What the record of a finished run says of its images; nothing where there is none."""
        record = read_record(self.folder)
        return record.data if record else {}

    def machine(self) -> dict[str, Any]:
        """What depends on the machine and the day; `attempts` says how the run came about."""
        return files.read_json(self.folder / "machine.json") or {}

    def begin(self, **facts: Any) -> None:
        """Note another attempt with its `facts`, e.g. the epoch it goes on from, and forget the last one's failure."""
        attempts = [*self.machine().get("attempts", ()), {"started": now(), **facts}]
        files.write_json(self.folder / "machine.json", {**self.machine(), "attempts": attempts})
        (self.folder / "failure.json").unlink(missing_ok=True)

    def pause(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Leave what there is so far where readers find it; the next attempt goes on from the checkpoint."""
        files.write_arrays(self.folder / "trace.npz", arrays)

    def finish(self, record: RunRecord, arrays: Mapping[str, np.ndarray], machine: Mapping[str, Any]) -> None:
        """Write the run's results, the record last: from then on it is done."""
        files.write_arrays(self.folder / "trace.npz", arrays)
        files.write_json(self.folder / "machine.json", {**self.machine(), **machine, "finished": now()})
        (self.folder / "failure.json").unlink(missing_ok=True)
        files.write_text(self.folder / "record.json", record.to_json() + "\n")

    def fail(self, error: BaseException, trail: str = "") -> None:
        """Note why the run stopped, and where if its `trail` is known; the next attempt goes on from its checkpoint."""
        what = {"type": type(error).__name__, "message": str(error), "when": now()}
        trail = trail or "".join(traceback.format_exception(error))
        files.write_json(self.folder / "failure.json", {**what, "traceback": trail})


@contextmanager
def claimed(spec: RunSpec, folder: Path) -> Iterator[Run | None]:
    """`folder` as this process's own until the block is left; None where another process is working on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with lease(folder) as ours:
        run = Run(spec, folder)
        if ours:
            _check_spec(run)
        yield run if ours else None
        if ours and run.done:
            clear(folder)


def status(folder: Path) -> Status:
    """Where the run in `folder` stands, as its files tell. Without its spec no run is done: no reader would find it."""
    if read_record(folder) is not None and read_spec(folder) is not None:
        return Status.DONE
    if alive(folder):
        return Status.RUNNING
    if (folder / "failure.json").exists():
        return Status.FAILED
    return Status.STALE if (folder / "spec.json").exists() else Status.ABSENT


def read_record(folder: Path) -> RunRecord | None:
    """The record in `folder`; None where it is missing or damaged, `UserError` where another version wrote it."""
    return _read(RunRecord.from_object, folder / "record.json")


def read_spec(folder: Path) -> RunSpec | None:
    """The spec in `folder`; None where it is missing or damaged, `UserError` where another version wrote it."""
    return _read(RunSpec.from_object, folder / "spec.json")


def now() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _check_spec(run: Run) -> None:
    """The run id in the folder's name vouches for the spec, so a missing or damaged one can be written again."""
    if read_spec(run.folder) is None:
        files.write_text(run.folder / "spec.json", run.spec.to_json() + "\n")


def supernet_folder(folder: Path, record: RunRecord) -> Path | None:
    """The folder of the run out of whose supernet the run in `folder` was read: of its seed; None if not here."""
    if record.supernet == record.run_id:
        return folder
    name = f"{folder.name.rpartition('-')[0]}-{record.supernet}"
    return next((method / name for method in sorted(folder.parents[1].iterdir()) if (method / name).is_dir()), None)


def _read(parse: Callable[[Mapping[str, Any]], T], path: Path) -> T | None:
    value = files.read_json(path)
    if value is None:
        return None
    try:
        return parse(value)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
