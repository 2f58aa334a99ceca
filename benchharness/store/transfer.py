"""A run's results as bytes, for sending them between stores that share no folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchharness.errors import UserError
from benchharness.io import files
from benchharness.records import RunRecord
from benchharness.store.run_folder import METHOD, SELECTION, Run, changed_files
from benchharness.store.schemas import fitting

RunFiles = Mapping[str, bytes]
"""Content by file name; the record comes last, as it marks the run as done."""

LIMIT_BYTES: Final = 1 << 26
NAMES: Final = (METHOD, SELECTION, "failure.json", "trace.jsonl", "trace.npz", "machine.json", "record.json")
"""Files that are sent; not the checkpoint, which is large, nor the spec, which the receiver has."""


def pack(folder: Path) -> dict[str, bytes]:
    """The files of the run in `folder`; raises `UserError` if they are larger than `LIMIT_BYTES`."""
    paths = [folder / name for name in NAMES if (folder / name).is_file()]
    if (total := sum(path.stat().st_size for path in paths)) > LIMIT_BYTES:
        raise UserError(
            f"its results are {total} bytes, more than the {LIMIT_BYTES} that are carried; share the folder"
        )
    return {path.name: path.read_bytes() for path in paths}


def unpack(run: Run, contents: RunFiles) -> None:
    """Write `contents` into the folder of `run`, every file atomically, the record last.

    Raises `UserError`, and writes nothing, if a file is missing, damaged, too large or belongs to another run.
    """
    for name in contents:
        if name not in NAMES:
            raise UserError(f"{str(name)[:80]!r} is not a file of a run; these are: {', '.join(NAMES)}")
    if not all(isinstance(content, bytes) for content in contents.values()):
        raise UserError(f"the results sent back for run {run.spec.run_id} are not bytes")
    if sum(map(len, contents.values())) > LIMIT_BYTES:
        raise UserError(f"the results sent back for run {run.spec.run_id} are larger than {LIMIT_BYTES} bytes")
    if "record.json" in contents:
        _check_contents(run, contents)
        (run.folder / "failure.json").unlink(missing_ok=True)
    for name in NAMES:
        if name in contents:
            files.write_bytes(run.folder / name, contents[name])


def _check_contents(run: Run, contents: RunFiles) -> None:
    record = RunRecord.from_json(contents["record.json"])
    if record.run_id != run.spec.run_id:
        raise UserError(f"the record sent back for run {run.spec.run_id} is that of run {record.run_id}")
    if missing := [name for name in ("trace.npz", "machine.json") if name not in contents]:
        raise UserError(f"the results sent back for run {run.spec.run_id} lack {' and '.join(missing)}")
    if not fitting(arrays := files.arrays_in(contents["trace.npz"])) or not arrays:
        raise UserError(f"the trace.npz that came back for run {run.spec.run_id} is damaged")
    if changed_names := changed_files(record, contents):
        names = " and ".join(changed_names)
        raise UserError(f"{names} that came back for run {run.spec.run_id} is not what its record was written with")
