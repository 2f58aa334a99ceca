"""A run's request (`RunSpec`), its result (`RunRecord`), and the run id that ties the two together."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, ClassVar, Final, NotRequired, Self, TypedDict

import msgspec

from benchharness.errors import UserError

SCHEMA: Final = 1
"""Version of the files in a run's folder; raised whenever an older reader would misread a newer folder."""
_SEAL: Final = "sha256"
"""In a record's JSON: the digest of all the rest, so that a value changed afterwards is noticed."""


class Status(StrEnum):
    """Where a run stands; always derived from its folder, never stored."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    """Begun, not finished, and nobody is working on it: the same command goes on from its checkpoint."""


class OtherVersion(UserError):  # noqa: N818
    """A spec or record in a folder that another version of this package wrote."""


class Settings(TypedDict):
    """Of a protocol's values, those that readers rely on."""

    name: str
    epochs: NotRequired[int]


class Images(TypedDict, total=False):
    """Of what is known of the images searched on, that which readers rely on."""

    label: str
    sha256: str
    train_images: int
    valid_images: int
    classes: int
    split: str
    split_sha256: str


class _Document:
    """One JSON object with a `schema`, as `spec.json` and `record.json` hold it."""

    _parts: ClassVar[Mapping[str, Any]] = {}
    """What readers rely on within fields that may hold more."""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What `to_json` wrote; raises `UserError` if the text is none."""
        try:
            return cls.from_object(msgspec.json.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise UserError(f"not a {cls.__name__}: {error if text else 'there is nothing in it'}") from None

    @classmethod
    def from_object(cls, value: Any) -> Self:
        """The same from JSON that has been parsed already; what it holds beyond our own fields is left out."""
        schema = value.get("schema") if isinstance(value, dict) else None
        if type(schema) is not int:
            raise UserError(f"not a {cls.__name__}: it has no schema")
        if schema != SCHEMA:
            turn = "upgrade benchharness" if schema > SCHEMA else "run it again"
            raise OtherVersion(f"schema {schema!r} where this version reads {SCHEMA}: {turn}")
        try:
            msgspec.convert(value, cls)
            for name, kind in cls._parts.items():
                msgspec.convert(value[name], kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise UserError(f"not a {cls.__name__}: {error}") from None
        if _SEAL in value and value[_SEAL] != seal(value):
            raise UserError(f"not a {cls.__name__}: it was changed after it was written")
        return cls(**{item.name: value[item.name] for item in fields(cls) if item.name in value})  # type: ignore[arg-type]


@dataclass(frozen=True)
class RunSpec(_Document):
    """One run of the plan: a supernet (`trains`, its options, data set, protocol, seed) and how the cell is derived."""

    _parts: ClassVar[Mapping[str, Any]] = {"protocol": Settings}
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
    versions: Mapping[str, int] = field(default_factory=dict)
    """Of what is searched otherwise than runs of old did under the same name: the `method` or its `images`; empty if
    nothing is."""

    @property
    def run_id(self) -> str:
        """16 hex digits that depend on nothing but the content of this spec."""
        return digest(_content(self))

    @property
    def name(self) -> str:
        """`method` for readers: truth values are `yes` and `no`, as on the command line, in whatever case ids have."""
        return _TRUTH.sub(lambda match: "=yes" if match[1] == "True" else "=no", self.method)

    @property
    def label(self) -> str:
        """`method`, shortened to what a folder may be called."""
        return (
            "".join(c if c.isalnum() or c in "+-_.=" else "_" for c in self.method)
            .encode()[:80]
            .decode(errors="ignore")
        )

    def read_out_as(self, method: str, selection: str, options: Mapping[str, Any]) -> "RunSpec":
        """The spec of the same supernet with the cell derived by another selection."""
        return replace(self, method=method, selection=selection, selection_options=options)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **_content(self)})


@dataclass(frozen=True)
class RunRecord(_Document):
    """The result of a finished run. Deterministic: times and machines are kept apart, in `machine.json`."""

    _parts: ClassVar[Mapping[str, Any]] = {"data": Images}
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
    """Of this package's source in the process that derived the cell; empty in records older than this field."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Digests of the other files that hold this run's results; the store fills them in."""

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        value = {"schema": SCHEMA, **_content(self)}
        return canonical(value | {_SEAL: seal(value)})


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """16 hex digits that depend on nothing but the content of a JSON value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def seal(value: Mapping[str, Any]) -> str:
    """The digest of a document, but for the place where it is kept."""
    return digest({name: part for name, part in value.items() if name != _SEAL})


def named_apart(specs: Iterable[RunSpec]) -> list[str]:
    """Each spec's method, with a suffix where one name stands for several methods.

    That is `@source` for files of one name and different content, whatever their options and selections, and `@v2` for
    a method that came to search otherwise.
    """
    specs = list(specs)
    sources: dict[str, set[str]] = {}
    versions: dict[str, set[int]] = {}
    for spec in specs:
        sources.setdefault(_file_name(spec), set()).add(spec.source)
        versions.setdefault(spec.method, set()).add(_version(spec))
    names = []
    for spec in specs:
        source = [spec.source[:6]] if spec.source and len(sources[_file_name(spec)]) > 1 else []
        version = [f"v{_version(spec)}"] if len(versions[spec.method]) > 1 else []
        names.append("@".join([spec.name, *source, *version]))
    return names


def _file_name(spec: RunSpec) -> str:
    """The method without its options and its selection."""
    return re.split("[:+]", spec.method, maxsplit=1)[0]


def _version(spec: RunSpec) -> int:
    return spec.versions.get("method", 1)


_TRUTH: Final = re.compile(r"=(True|False)(?=[:+]|$)")


def _content(value: Any) -> dict[str, Any]:
    """The fields as JSON has them. Later ones are left out where empty, so that older run ids still hold."""
    # Not by dataclasses.asdict, which copies every setting of the protocol and took half the time of reading a folder.
    return {name: part for name, part in vars(value).items() if part or name not in _LATER}


_LATER: Final = {"split_sha256", "versions", "package_sha256", "files"}
