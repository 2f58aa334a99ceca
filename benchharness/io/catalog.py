"""The per-user data folder: tables and images installed with checksums, or used from where they stand.

`BENCHHARNESS_DATA` overrides where it is. A source in a known layout that merely stands in the folder is converted once
into the cache, so that a read-only folder works as well.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypedDict, runtime_checkable

from filelock import FileLock

from benchharness.errors import UserError
from benchharness.io.files import SOURCE_BYTES, open_file, path_of, read_json, write_json
from benchharness.io.user_folder import user_folder

_SCHEMA: Final = 3
"""Of the manifest and of what is converted; raised with the format of either, so that no old conversion is read."""
_NAME: Final = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)
"""Names become file names, and tables name themselves: none may lead out of the folder."""
_SUFFIXES: Final = {"tables": ".npz", "costs": ".npz", "images": ".npz", "splits": ".json"}
"""The data folder's own folders, one a kind, and how the files installed there end."""
_ENTRIES: Final = 256
"""Entries of a folder that are looked at for sources; whatever has more is no folder of data sets."""


class Installed(NamedTuple):
    """A table, image set or split file in the data folder."""

    kind: str
    """`tables`, `costs`, `images` or `splits`."""
    name: str
    path: Path
    """The installed file, or the source itself where it is used from where it stands."""
    source: str
    """What it was made from."""
    source_sha256: str
    """Empty for a source used from where it stands that has not been asked for yet."""
    sha256: str
    """Of the installed file; empty for a source used from where it stands."""
    bytes: int


class _Row(TypedDict):
    """`Installed` as the manifest has it, with the path from the data folder."""

    kind: str
    name: str
    path: str
    source: str
    source_sha256: str
    sha256: str
    bytes: int


class _Manifest(TypedDict):
    installed: list[_Row]


class _Sums(TypedDict):
    source_sha256: str
    sha256: str


class Verified(NamedTuple):
    """What `verify` found of one installed thing."""

    item: Installed
    problem: str
    """One sentence, empty where everything is right."""


@runtime_checkable
class Importer(Protocol):
    """A module that reads one layout of sources."""

    LAYOUT: str
    """What it reads, for the error that lists what can be imported."""

    def recognises(self, path: Path) -> str | None:
        """The name of what is at `path`, None where it is in another layout. Quick, and raises nothing."""

    def read_source(self, path: Path) -> "Saved":
        """What is at `path`; raises `UserError` where it is not as it should be."""


@runtime_checkable
class Saved(Protocol):
    """A table, an image set or a split."""

    def save(self, path: Path) -> None:
        """Write it to `path` in our format."""


class Kind(NamedTuple):
    """What can be installed, and who reads it; whoever owns a format defines the kind."""

    name: str
    """Of its folder: `tables`, `costs`, `images` or `splits`."""
    noun: str
    """What messages call one of them."""
    native: Importer
    """Reads our own format."""
    importers: Callable[[], Sequence[Importer]]
    """All of them, `native` too; called when a source is looked at, as pyarrow and pillow are slow to load."""
    check: Callable[[Path], None]
    """Raises `UserError` where the file in our format at a path is not what it says."""

    @property
    def suffix(self) -> str:
        """How its files in our own format end."""
        return _SUFFIXES[self.name]


class _Source(NamedTuple):
    kind: Kind
    name: str
    path: Path
    importer: Importer


def data_folder() -> Path:
    """Where tables and images are installed: `BENCHHARNESS_DATA`, else the system's place for a user's data."""
    given = os.environ.get("BENCHHARNESS_DATA")
    return path_of(given) if given else user_folder("data")


def measured_folder() -> Path:
    """Where trainings made on this machine are kept: with what is converted, since the data folder may be read-only."""
    return _cache("measured")


def install(path: Path | str, kinds: Sequence[Kind]) -> list[Installed]:
    """Install everything of these kinds at `path` (a file, or a folder searched two levels down).

    Raises `UserError` where there is nothing known, where a source is damaged, or where the folder cannot be written.
    """
    path = path_of(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    sources = _sources(path, kinds, itself=True)
    if not sources:
        raise UserError(f"{path} holds nothing that can be imported; known: {'; '.join(sorted(_layouts(kinds)))}")
    return [_install(source) for source in sources]


def imported() -> list[Installed]:
    """What was imported into the data folder, without what merely stands in it."""
    return _manifest()


def doubled(path: Path, kinds: Sequence[Kind]) -> list[tuple[str, str, Path]]:
    """Kind, name and place of the sources at `path` that `install` leaves out, since another one has their name."""
    sources = list(_every_source(path, kinds, itself=True))
    first = {source.path for source in _sources(path, kinds, itself=True)}
    return [(source.kind.name, source.name, source.path) for source in sources if source.path not in first]


def install_with(kind: Kind, name: str, path: Path, importer: Importer) -> Installed:
    """Install what `importer` reads at `path` under `name`; raises `UserError` as `install` does."""
    if not _named(name):
        raise UserError(f"{name[:80]!r} is no name; use letters, digits and any of _ . + -")
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    return _install(_Source(kind, name, path, importer))


def installed(kinds: Sequence[Kind]) -> list[Installed]:
    """What the data folder offers of these kinds: everything installed, then sources used from where they stand."""
    items = [item for item in _manifest() if item.kind in {kind.name for kind in kinds}]
    names = {(item.kind, item.name) for item in items}
    standing = [source for source in _sources(data_folder(), kinds) if (source.kind.name, source.name) not in names]
    return items + [_standing(source) for source in standing]


def verify(kinds: Sequence[Kind], name: str = "") -> list[Verified]:
    """Everything `installed` of these kinds, or what of it is called `name`: checksums anew, and content checked."""
    by_name = {kind.name: kind for kind in kinds}
    items = [item for item in installed(kinds) if name in ("", item.name)]
    return [Verified(item, _problem(item, by_name[item.kind])) for item in items]


def find(kind: Kind, name: str) -> Path:
    """The file in our format of the `kind` of thing called `name`, converted now if it only stands in the folder.

    Raises `UserError` that says which command brings it where it is missing.
    """
    place = data_folder() / kind.name / f"{name}{kind.suffix}"
    named = _named(name)
    if named and place.is_file():
        return place
    cached = set(_cache(kind.name).glob(f"{name}-*{kind.suffix}")) if named else set()
    for path in _places(data_folder()) if cached else ():
        if (target := _cached(kind, name, path)) in cached:
            return target
    for source in _sources(data_folder(), (kind,)):
        if source.name == name:
            return _convert(source, _cached(kind, name, source.path))
    command = "`benchharness data import PATH` brings it in from a file"
    raise UserError(f"no {kind.noun} {name!r} in {data_folder()}; {command}")


def names(kind: Kind) -> list[str]:
    """What the folder offers in our own format, installed or standing there; quick, as nothing else is looked at."""
    files = [path.name for path in _entries(data_folder() / kind.name)]
    candidates = [file.removesuffix(kind.suffix) for file in files if file.endswith(kind.suffix)]
    candidates += [kind.native.recognises(path) or "" for path in _places(data_folder()) if path.suffix == kind.suffix]
    return sorted({name for name in candidates if _named(name)})


def _named(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _cache(kind: str) -> Path:
    return user_folder("cache") / kind


def _cached(kind: Kind, name: str, path: Path) -> Path:
    """Where the conversion of `path` is cached: a name that changes whenever the source does."""
    parts = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    stats = [(str(part.absolute()), part.stat().st_size, part.stat().st_mtime_ns) for part in parts]
    key = hashlib.sha256(repr((_SCHEMA, stats)).encode()).hexdigest()[:16]
    return _cache(kind.name) / f"{name}-{key}{kind.suffix}"


def _places(root: Path) -> Iterator[Path]:
    """Where a source may stand in `root`: its entries, and theirs."""
    ours = {root / kind: ending for kind, ending in _SUFFIXES.items()}
    children = _entries(root)
    yield from (path for path in children if path not in ours)
    for child in children:
        yield from (path for path in _entries(child) if path.suffix != ours.get(child))  # which is installed there


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return visible if len(visible) <= _ENTRIES else []


def _sources(root: Path, kinds: Sequence[Kind], itself: bool = False) -> list[_Source]:
    """The first source of every name at `root`; `root` itself may be one."""
    first: dict[tuple[str, str], _Source] = {}
    for source in _every_source(root, kinds, itself):
        first.setdefault((source.kind.name, source.name), source)
    return list(first.values())


def _every_source(root: Path, kinds: Sequence[Kind], itself: bool) -> Iterator[_Source]:
    importers = [(kind, importer) for kind in kinds for importer in kind.importers()]
    for path in (*([root] if itself else []), *_places(root)):
        for kind, importer in importers:
            if (name := importer.recognises(path)) and _named(name):
                yield _Source(kind, name, path, importer)


def _layouts(kinds: Sequence[Kind]) -> list[str]:
    return [importer.LAYOUT for kind in kinds for importer in kind.importers()]


@contextmanager
def _writing(root: Path, lock: Path) -> Iterator[None]:
    """The block alone may write what `lock` guards; where `root` cannot be written, the error says so."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            yield
    except OSError as error:
        hint = "set BENCHHARNESS_DATA (or XDG_CACHE_HOME, for what is converted) to a folder of yours"
        reason = next(filter(None, (getattr(one, "strerror", "") for one in (error, error.__cause__))), error)
        raise UserError(f"cannot write {root} ({reason}); {hint}") from error


def _read(source: _Source) -> Saved:
    try:
        return source.importer.read_source(source.path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{source.path} cannot be read as {source.importer.LAYOUT} ({reason})") from error


def _convert(source: _Source, target: Path) -> Path:
    """`target`, made from `source` unless another process has just made it."""
    with _writing(target.parent, target.with_suffix(".lock")):
        if not target.is_file():
            _read(source).save(target)
            write_json(_sums(target), {"source_sha256": _sha256(source.path), "sha256": _sha256(target)})
    return target


def _sums(converted: Path) -> Path:
    """Where the checksums of a conversion and of its source are."""
    return converted.with_name(f"{converted.name}.sums")


def _read_sums(converted: Path) -> _Sums:
    return read_json(_sums(converted), _Sums) or {"source_sha256": "", "sha256": ""}


def _install(source: _Source) -> Installed:
    root = data_folder()
    kind = source.kind.name
    target = root / kind / f"{source.name}{source.kind.suffix}"
    content = _read(source)  # before the lock is taken: an official file takes minutes
    with _writing(root, root / "manifest.lock"):
        content.save(target)
        item = Installed(kind, source.name, target, str(source.path), _sha256(source.path), _sha256(target), 0)
        item = item._replace(bytes=target.stat().st_size)
        others = [other for other in _manifest() if (other.kind, other.name) != (item.kind, item.name)]
        rows = [row._asdict() | {"path": str(row.path.relative_to(root))} for row in sorted([*others, item])]
        write_json(root / "manifest.json", {"schema": _SCHEMA, "installed": rows})
    return item


def _standing(source: _Source) -> Installed:
    files = sorted(source.path.iterdir()) if source.path.is_dir() else [source.path]
    size = sum(file.stat().st_size for file in files)
    known = _read_sums(_cached(source.kind, source.name, source.path))["source_sha256"]
    return Installed(source.kind.name, source.name, source.path, str(source.path), known, "", size)


def _manifest() -> list[Installed]:
    path = data_folder() / "manifest.json"
    if not os.path.lexists(path):
        return []
    manifest = read_json(path, _Manifest)
    if manifest is None or any("\0" in row["path"] for row in manifest["installed"]):
        raise UserError(f"{path} is damaged; import the data again after deleting it")
    rows = [{name: value for name, value in row.items() if name in Installed._fields} for row in manifest["installed"]]
    return [Installed(**{**row, "path": data_folder() / str(row["path"])}) for row in rows]  # type: ignore[arg-type]


def _sha256(path: Path) -> str:
    """Of a file's content, or of the names and checksums of what is in a folder."""
    if path.is_dir():
        items = [item for item in sorted(path.iterdir()) if item.is_file() or _is_visible_folder(item)]
        listed = [f"{item.name} {_sha256(item)}" for item in items]
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()
    with open_file(path, SOURCE_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_visible_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _problem(item: Installed, kind: Kind) -> str:
    if not item.path.exists():
        return f"{item.path} is missing; import it again"
    if item.sha256 and _sha256(item.path) != item.sha256:
        return f"{item.path} has changed since it was installed; import it again"
    try:
        place = find(kind, item.name)
        kind.check(place)
    except UserError as error:
        return str(error)
    return "" if item.sha256 else _standing_problem(item, place)


def _standing_problem(item: Installed, place: Path) -> str:
    """What has happened to a source or to its conversion since the one was made of the other."""
    sums = _read_sums(place)
    if _sha256(place) != sums["sha256"]:
        return f"{place} has changed since it was made of {item.path}; delete it, and it is made anew"
    if _sha256(item.path) != sums["source_sha256"]:
        return f"{item.path} has changed, keeping its size and time, since {place} was made of it; delete that"
    return ""
