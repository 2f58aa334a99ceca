"""What a run is asked (`RunSpec`), what it found (`RunRecord`), and the run id that ties the two together."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from benchharness.errors import UserError

SCHEMA: Final = 1
"""Version of the files in a run's folder; raised whenever an older reader would misread a newer folder."""


class Status(StrEnum):
    """Where a run stands; always derived from its folder, never stored."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    """Begun, not finished, and nobody is working on it: the same command goes on from its checkpoint."""


@dataclass(frozen=True)
class RunSpec:
    """One cell of the plan: a supernet (`trains`, its options, data set, protocol, seed) and one way to read it out."""

    method: str
    """The name in tables, as asked for: `darts`, `ostr`, `snas+ostr`, `snas:tau_max=5`, or a user's file's name."""
    trains: str
    """The method whose supernet is trained."""
    selection: str
    dataset: str
    seed: int
    protocol: Mapping[str, Any]
    train_options: Mapping[str, Any] = field(default_factory=dict)
    selection_options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    """SHA-256 of the user's method file, empty for built-in methods."""
    split_sha256: str = ""
    """Of the benchmark's split, where the protocol asks for it and its file was at hand when the run was planned; else
    empty, and then a seeded draw takes its place."""

    @property
    def run_id(self) -> str:
        """16 hex digits that depend on nothing but the content of this spec."""
        return _digest(_content(self))

    @property
    def label(self) -> str:
        """`method`, shortened to what a folder may be called."""
        return "".join(c if c.isalnum() or c in "+-_.=" else "_" for c in self.method)[:80]

    def read_out_as(self, method: str, selection: str, options: Mapping[str, Any]) -> "RunSpec":
        """The spec of the same supernet read out by another selection."""
        return replace(self, method=method, selection=selection, selection_options=options)

    @classmethod
    def from_json(cls, text: str) -> "RunSpec":
        """The spec that `to_json` wrote; raises `UserError` where the text is none."""
        return _from_json(cls, text)

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> "RunSpec":
        """The same from JSON that has been parsed already."""
        return _from_object(cls, value)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **_content(self)})


@dataclass(frozen=True)
class RunRecord:
    """What a finished run found. Deterministic: times and machines are kept apart, in `machine.json`."""

    run_id: str
    arch: str
    """The derived cell in the benchmark's spelling."""
    supernet: str
    """Run id under which the supernet was trained: this run's own, or that of the run it shares a supernet with."""
    measures: Mapping[str, float]
    """`mixed_batch_*` of the supernet, `derived_batch_*` of the one-hot cell with inherited weights: `accuracy_pct`,
    `loss`; both by batch statistics. Older records have `mixed_*` and `derived_*` by the protocol's `bn_eval`."""
    data: Mapping[str, Any]
    """The images searched on: `label`, `sha256`, `train_images`, `valid_images`, `split`."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What a selection has to say, e.g. `dead_edges` and `order`."""
    package_sha256: str = ""
    """Of this package's source in the process that read the cell out; empty in records older than this field."""

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The record that `to_json` wrote; raises `UserError` where the text is none."""
        return _from_json(cls, text)

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> "RunRecord":
        """The same from JSON that has been parsed already."""
        return _from_object(cls, value)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **_content(self)})


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _content(value: Any) -> dict[str, Any]:
    """The fields as JSON has them. Later ones are left out where empty, so that older run ids still hold."""
    # Not by dataclasses.asdict, which copies every setting of the protocol and took half the time of reading a folder.
    return {name: held for name, held in vars(value).items() if held or name not in _LATER}


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def _from_json(cls: Any, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or "schema" not in value:
        raise UserError(f"not a {cls.__name__}: {text[:80]!r}")
    return _from_object(cls, value)


def _from_object(cls: Any, value: Mapping[str, Any]) -> Any:
    schema = value.get("schema")
    if schema != SCHEMA:
        turn = "upgrade benchharness" if isinstance(schema, int) and schema > SCHEMA else "run it again"
        raise UserError(f"schema {schema!r} where this version reads {SCHEMA}: {turn}")
    held = {name: part for name, part in value.items() if name != "schema"}
    kinds = _KINDS[cls]
    if wrong := (set(held) ^ set(kinds)) - (_LATER - set(held)):
        raise UserError(f"not a {cls.__name__}: fields {sorted(wrong)} are missing or unknown")
    for name, part in held.items():
        if type(part) is not kinds[name]:
            raise UserError(f"not a {cls.__name__}: {name}={str(part)[:80]!r} is no {kinds[name].__name__}")
    return cls(**held)


_LATER: Final = {"split_sha256", "package_sha256"}
_KINDS: Final = {
    cls: {item.name: item.type if item.type in (str, int) else dict for item in fields(cls)}
    for cls in (RunSpec, RunRecord)
}
