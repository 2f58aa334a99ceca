"""What the finished runs of a folder hold, kept in the user's cache so that the next reading need not parse it again.

Never the truth: an entry counts only while every file that it was made from has the inode, size and time it had then,
unfinished runs have none, and a missing, torn or garbled index is made anew. It can be deleted at any time.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchharness.io.npz import replacing
from benchharness.io.user_folder import user_folder
from benchharness.records import RunRecord, RunSpec
from benchharness.store.listing import Mark
from benchharness.store.schemas import Failure, Machine

LEAST: Final = 500
"""Finished runs from which a folder is indexed; fewer are read in less than a second."""
_SCHEMA: Final = 3


class Parsed(NamedTuple):
    """One run as its files tell."""

    run_id: str
    """The spec's, which takes longer to work out than to keep."""
    spec: RunSpec
    record: RunRecord | None
    machine: Machine | None
    failure: Failure | None


class Entry(NamedTuple):
    """A finished run, and the files that say so."""

    mark: Mark
    parsed: Parsed


def load(folder: Path) -> dict[str, Entry]:
    """The index of `folder` by path from there; empty where there is none, or none that can be read."""
    try:
        with gzip.open(_place(folder), "rb") as file:  # whose checksum tells a torn or garbled file
            held = json.loads(file.read())
        if (held["schema"], held["folder"]) != (_SCHEMA, str(folder.resolve())):
            return {}
        return {run: Entry(marked, _unpacked(packed, held["shared"])) for run, marked, packed in held["runs"]}
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def save(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Put the index of `folder` into the cache, whole or not at all; a cache that cannot be written is left alone."""
    shared: dict[int, tuple[int, Any]] = {}
    held = [[run, entry.mark, _packed(entry.parsed, shared)] for run, entry in entries.items()]
    about = {"schema": _SCHEMA, "folder": str(folder.resolve()), "runs": held}
    about["shared"] = [part for _, part in shared.values()]
    try:
        with replacing(_place(folder)) as temporary, gzip.open(temporary, "wb", compresslevel=1) as file:
            file.write(json.dumps(about).encode())
    except OSError:
        return


def slim(parsed: Parsed, known: dict[str, Any]) -> Parsed:
    """`parsed` with one object for whatever many runs have alike, such as a protocol; `known` has those met so far."""

    def one(value: Any) -> Any:
        return {name: _met(part, known) if isinstance(part, dict) else part for name, part in value.items()}

    spec, machine = RunSpec(**one(vars(parsed.spec))), parsed.machine and one(parsed.machine)
    record = parsed.record and RunRecord(**one(vars(parsed.record)))
    return parsed._replace(spec=spec, record=record, machine=machine)


def _met(part: dict[str, Any], known: dict[str, Any]) -> Any:
    return known.setdefault(json.dumps(part), part)


def _place(folder: Path) -> Path:
    key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return user_folder("cache") / "index" / f"{key}.json.gz"


def _packed(parsed: Parsed, shared: dict[int, tuple[int, Any]]) -> list[Any]:
    """Objects that several runs share are kept once for all of them."""
    values = [vars(part) if isinstance(part, RunSpec | RunRecord) else part for part in parsed[1:]]
    packed = [value and {key: _reference(part, shared) for key, part in value.items()} for value in values]
    return [parsed.run_id, *packed]


def _reference(part: Any, shared: dict[int, tuple[int, Any]]) -> Any:
    return {"": shared.setdefault(id(part), (len(shared), part))[0]} if isinstance(part, dict) else part


def _unpacked(packed: list[Any], shared: list[Any]) -> Parsed:
    run_id, *rest = packed
    parts: list[Any] = [
        value and {key: shared[part[""]] if isinstance(part, dict) else part for key, part in value.items()}
        for value in rest
    ]
    spec, record, machine, failure = parts
    return Parsed(run_id, RunSpec(**spec), RunRecord(**record), machine, failure)
