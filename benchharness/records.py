"""A run's request (`RunSpec`), its result (`RunRecord`), and the run id that ties the two together."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, ClassVar, Final, NotRequired, Self, TypedDict

import msgspec

from benchharness.errors import UserError

SCHEMA: Final = 1
"""Version of the files in a run's folder; increased whenever an older reader would misread a newer folder."""
_SEAL: Final = "sha256"
"""Key, in a record's JSON, of the digest of all other values, which detects later changes."""


class Status(StrEnum):
    """Status of a run; derived from its folder, never stored."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    """Begun and not finished, and no process works on it; the same command resumes it from its checkpoint."""


class OtherVersion(UserError):  # noqa: N818
    """Raised for a spec or record with another `schema`, written by another version of this package."""


class Settings(TypedDict):
    """The settings of a protocol on which readers rely."""

    name: str
    epochs: NotRequired[int]


class Images(TypedDict, total=False):
    """The facts about a run's images on which readers rely."""

    label: str
    sha256: str
    train_images: int
    valid_images: int
    classes: int
    split: str
    split_sha256: str


class _Document:
    """A JSON object with a `schema`, such as the content of `spec.json` and `record.json`."""

    _parts: ClassVar[Mapping[str, Any]] = {}
    """Types of the values inside a field on which readers rely; the field may hold further values."""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse the text of `to_json`; raises `UserError` if it is damaged or of another kind."""
        try:
            return cls.from_object(msgspec.json.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise UserError(f"not a {cls.__name__}: {error if text else 'there is nothing in it'}") from None

    @classmethod
    def from_object(cls, value: Any) -> Self:
        """Like `from_json`, for JSON that is parsed already; unknown fields are dropped."""
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
    """Request of one run: a supernet (`trains`, its options, data set, protocol, seed) and how the cell is derived."""

    _parts: ClassVar[Mapping[str, Any]] = {"protocol": Settings}
    method: str
    """Name in tables, as requested: `darts`, `ostr`, `snas+ostr`, `snas:tau_max=5`, or the name of a user's file."""
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
    """SHA-256 of the benchmark's split, if the protocol uses it and its file was installed when the run was planned;
    else empty, and a seeded draw replaces the split."""
    selection_source: str = ""
    """SHA-256 of the user's file whose selection class reads another method's supernet; else empty."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """Versions above 1 of the `method` and of the handling of its `images`: how often their behaviour has changed."""

    @property
    def run_id(self) -> str:
        """The run id: 16 hex digits of a hash of this spec's content."""
        return digest(_content(self))

    @property
    def name(self) -> str:
        """`method` for display: truth values are spelt `yes` and `no`, as on the command line."""
        return _TRUTH.sub(lambda match: "=yes" if match[1] == "True" else "=no", self.method)

    @property
    def label(self) -> str:
        """`method` as a folder name, shortened if necessary."""
        return folder_name(self.method).encode()[:80].decode(errors="ignore")

    def read_out_as(self, method: str, selection: str, options: Mapping[str, Any], source: str = "") -> "RunSpec":
        """The spec of the same supernet with the cell derived by another selection, from a file if it has `source`."""
        return replace(self, method=method, selection=selection, selection_options=options, selection_source=source)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        return canonical({"schema": SCHEMA, **_content(self)})


@dataclass(frozen=True)
class RunRecord(_Document):
    """The result of a finished run. It is deterministic: times and machine are in `machine.json`."""

    _parts: ClassVar[Mapping[str, Any]] = {"data": Images}
    run_id: str
    arch: str
    """The derived cell in the benchmark's spelling."""
    supernet: str
    """Id of the run that trained the supernet: this run, or the run with which it shares the supernet."""
    measures: Mapping[str, float]
    """`mixed_batch_*` of the supernet, `derived_batch_*` of the one-hot cell with inherited weights: `accuracy_pct`,
    `loss`; both by batch statistics. Older records have `mixed_*` and `derived_*` by the protocol's `bn_eval`."""
    data: Mapping[str, Any]
    """The images searched on: `label`, `sha256`, `train_images`, `valid_images`, `split`."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Notes of the selection, such as `dead_edges` and `order`."""
    package_sha256: str = ""
    """SHA-256 of this package's source in the process that derived the cell; empty in older records."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Digests of the run's other result files; filled in by the store."""

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, one spelling."""
        value = {"schema": SCHEMA, **_content(self)}
        return canonical(value | {_SEAL: seal(value)})


def canonical(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces and no NaN, so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def folder_name(name: str) -> str:
    """`name` with every character that not all file systems allow replaced by an underscore."""
    return "".join(c if c.isalnum() or c in "+-_.=" else "_" for c in name)


def digest(value: Any) -> str:
    """16 hex digits of a hash of a JSON value's content."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def seal(value: Mapping[str, Any]) -> str:
    """The digest of a document without the digest itself."""
    return digest({name: field for name, field in value.items() if name != _SEAL})


def named_apart(specs: Iterable[RunSpec]) -> list[str]:
    """Each spec's method name, with a suffix if one name stands for several methods.

    The suffix is `@` and the start of the source's digest for files of one name with different contents, and `@v2` for
    version 2 of a method.
    """
    specs = list(specs)
    sources: dict[str, set[str]] = {}
    versions: dict[str, set[int]] = {}
    for spec in specs:
        for name, source in _files(spec):
            sources.setdefault(name, set()).add(source)
        versions.setdefault(spec.method, set()).add(_version(spec))
    names = []
    for spec in specs:
        changed_files = [source[:6] for name, source in _files(spec) if source and len(sources[name]) > 1]
        version = [f"v{_version(spec)}"] if len(versions[spec.method]) > 1 else []
        names.append("@".join([spec.name, *changed_files, *version]))
    return names


def _files(spec: RunSpec) -> Iterator[tuple[str, str]]:
    """Names in the method, each with its file's SHA-256 or nothing: the supernet's, and that of a user's selection."""
    supernet, plus, selection = re.sub(r":[^+]*", "", spec.method).partition("+")
    if plus or not spec.selection_source:
        yield supernet, spec.source
    if spec.selection_source:
        yield plus + (selection or supernet), spec.selection_source


def _version(spec: RunSpec) -> int:
    return spec.versions.get("method", 1)


_TRUTH: Final = re.compile(r"=(True|False)(?=[:+]|$)")


def _content(value: Any) -> dict[str, Any]:
    """The fields as JSON values, without empty fields that were added later, so that older run ids stay valid."""
    # Not dataclasses.asdict: it copies every setting of the protocol, which took half the time of reading a folder.
    return {name: field for name, field in vars(value).items() if field or name not in _LATER}


_LATER: Final = {"split_sha256", "selection_source", "versions", "package_sha256", "files"}
