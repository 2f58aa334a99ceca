"""What a run is asked (`RunSpec`), what it found (`RunRecord`), and the run id that ties the two together."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
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

    @property
    def run_id(self) -> str:
        """16 hex digits that depend on nothing but the content of this spec."""
        return _digest(asdict(self))

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

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **asdict(self)})


@dataclass(frozen=True)
class RunRecord:
    """What a finished run found. Deterministic: times and machines are kept apart, in `machine.json`."""

    run_id: str
    arch: str
    """The derived cell in the benchmark's spelling."""
    supernet: str
    """Run id under which the supernet was trained: this run's own, or that of the run it shares a supernet with."""
    measures: Mapping[str, float]
    """`mixed_*` of the supernet, `derived_*` of the one-hot cell with inherited weights: `accuracy_pct`, `loss`."""
    data: Mapping[str, Any]
    """The images searched on: `label`, `sha256`, `train_images`, `valid_images`, `split`."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What a selection has to say, e.g. `dead_edges` and `order`."""

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The record that `to_json` wrote; raises `UserError` where the text is none."""
        return _from_json(cls, text)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **asdict(self)})


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def _from_json(cls: Any, text: str) -> Any:
    try:
        value = json.loads(text)
        schema = value.pop("schema")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise UserError(f"not a {cls.__name__}: {text[:80]!r}") from None
    if schema != SCHEMA:
        turn = "upgrade benchharness" if isinstance(schema, int) and schema > SCHEMA else "run it again"
        raise UserError(f"schema {schema!r} where this version reads {SCHEMA}: {turn}")
    names = {item.name for item in fields(cls)}
    if set(value) != names:
        raise UserError(f"not a {cls.__name__}: fields {sorted(set(value) ^ names)} are missing or unknown")
    for item in fields(cls):
        kind = item.type if item.type in (str, int) else dict
        if type(value[item.name]) is not kind:
            raise UserError(f"not a {cls.__name__}: {item.name}={str(value[item.name])[:80]!r} is no {kind.__name__}")
    return cls(**value)
