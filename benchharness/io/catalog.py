"""The user's data folder: installed tables and images with checksums, and source files that were not imported.

The variable `BENCHHARNESS_DATA` sets its path. A source file in a known layout that lies in the folder is converted
once into the cache, so that a read-only folder works, too.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from filelock import FileLock

from benchharness.errors import UserError
from benchharness.io.files import file_sha256, path_of, read_json, write_json
from benchharness.io.sources import (
    Importer,
    Kind,
    Source,
    every_source,
    first_sources,
    is_name,
    layouts,
    read_source,
    source_places,
    visible_entries,
)
from benchharness.io.user_folder import user_folder

_SCHEMA: Final = 3
"""Version of the manifest and of converted files; raised when either format changes, so that old files are not read."""


class Installed(NamedTuple):
    """A table, image set or split file in the data folder."""

    kind: str
    """`tables`, `costs`, `images` or `splits`."""
    name: str
    path: Path
    """The installed file, or the source file itself if it was not imported."""
    source: str
    """Path of the file or folder from which it was imported."""
    source_sha256: str
    """SHA-256 of the source; empty for a source file that was not imported and has not been used yet."""
    sha256: str
    """SHA-256 of the installed file; empty for a source file that was not imported."""
    bytes: int


class _Row(TypedDict):
    """`Installed` as the manifest stores it; the path is relative to the data folder."""

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
    """Result of `verify` for one installed item."""

    item: Installed
    problem: str
    """One sentence that says what is wrong; empty if nothing is."""


def data_folder() -> Path:
    """The data folder: `BENCHHARNESS_DATA`, else the system's folder for a user's data."""
    variable = os.environ.get("BENCHHARNESS_DATA")
    return path_of(variable) if variable else user_folder("data")


def measured_folder() -> Path:
    """The folder of trainings made on this machine; in the cache, since the data folder may be read-only."""
    return _cache("measured")


def install(path: Path | str, kinds: Sequence[Kind]) -> list[Installed]:
    """Install everything of these kinds at `path` (a file, or a folder searched two levels down).

    Raises `UserError` if nothing there can be imported, if a source is damaged, or if the folder cannot be written.
    """
    path = path_of(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    sources = first_sources(path, kinds, itself=True)
    if not sources:
        raise UserError(f"{path} holds nothing that can be imported; known: {'; '.join(sorted(layouts(kinds)))}")
    return [_install(source) for source in sources]


def imported_items() -> list[Installed]:
    """Everything imported into the data folder, without source files that merely lie in it."""
    return _manifest()


def doubled(path: Path, kinds: Sequence[Kind]) -> list[tuple[str, str, Path]]:
    """Kind, name and path of sources at `path` that `install` leaves out, since an earlier source has the same name."""
    sources = list(every_source(path, kinds, itself=True))
    first = {source.path for source in first_sources(path, kinds, itself=True)}
    return [(source.kind.name, source.name, source.path) for source in sources if source.path not in first]


def install_with(kind: Kind, name: str, path: Path, importer: Importer) -> Installed:
    """Install what `importer` reads at `path` under `name`; raises `UserError` as `install` does."""
    if not is_name(name):
        raise UserError(f"{name[:80]!r} is not a valid name; use letters, digits and any of _ . + -")
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    return _install(Source(kind, name, path, importer))


def installed(kinds: Sequence[Kind]) -> list[Installed]:
    """All data of these kinds in the data folder: imported items first, then source files that lie in it."""
    items = [item for item in _manifest() if item.kind in {kind.name for kind in kinds}]
    names = {(item.kind, item.name) for item in items}
    sources = [source for source in first_sources(data_folder(), kinds) if (source.kind.name, source.name) not in names]
    return items + [_standing(source) for source in sources]


def verify(kinds: Sequence[Kind], name: str = "") -> list[Verified]:
    """Check content and checksums of all items of these kinds, or of the items called `name`."""
    by_name = {kind.name: kind for kind in kinds}
    items = [item for item in installed(kinds) if name in ("", item.name)]
    return [Verified(item, _problem(item, by_name[item.kind])) for item in items]


def find_installed(kind: Kind, name: str) -> Path:
    """The file in our format of the data called `name`; a source file in the data folder is converted first.

    Raises `UserError` if it is missing; the error names the command that imports it.
    """
    installed_path = data_folder() / kind.name / f"{name}{kind.suffix}"
    has_name = is_name(name)
    if has_name and installed_path.is_file():
        return installed_path
    cached = set(_cache(kind.name).glob(f"{name}-*{kind.suffix}")) if has_name else set()
    for path in source_places(data_folder()) if cached else ():
        if (target := _cached(kind, name, path)) in cached:
            return target
    for source in first_sources(data_folder(), (kind,)):
        if source.name == name:
            return _convert(source, _cached(kind, name, source.path))
    command = "`benchharness data import PATH` brings it in from a file"
    raise UserError(f"no {kind.noun} {name!r} in {data_folder()}; {command}")


def names(kind: Kind) -> list[str]:
    """Names of all files in our own format in the data folder; quick, since no other files are looked at."""
    files = [path.name for path in visible_entries(data_folder() / kind.name)]
    candidates = [file.removesuffix(kind.suffix) for file in files if file.endswith(kind.suffix)]
    candidates += [
        kind.native.recognises(path) or "" for path in source_places(data_folder()) if path.suffix == kind.suffix
    ]
    return sorted({name for name in candidates if is_name(name)})


def _cache(kind: str) -> Path:
    return user_folder("cache") / kind


def _cached(kind: Kind, name: str, path: Path) -> Path:
    """Path of the cached conversion of `path`; it changes whenever the source does."""
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    stats = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(repr((_SCHEMA, stats)).encode()).hexdigest()[:16]
    return _cache(kind.name) / f"{name}-{key}{kind.suffix}"


@contextmanager
def _writing(root: Path, lock: Path) -> Iterator[None]:
    """Holds `lock` within a `with` block; raises `UserError` if `root` cannot be written."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            yield
    except OSError as error:
        hint = "set BENCHHARNESS_DATA (or XDG_CACHE_HOME, for what is converted) to a folder of yours"
        reason = next(filter(None, (getattr(cause, "strerror", "") for cause in (error, error.__cause__))), error)
        raise UserError(f"cannot write {root} ({reason}); {hint}") from error


def _convert(source: Source, target: Path) -> Path:
    """Convert `source` to `target`, unless another process has just done so."""
    with _writing(target.parent, target.with_suffix(".lock")):
        if not target.is_file():
            read_source(source).save(target)
            write_json(_sums(target), {"source_sha256": _sha256(source.path), "sha256": _sha256(target)})
    return target


def _sums(path: Path) -> Path:
    """Path of the file with the checksums of a conversion and of its source."""
    return path.with_name(f"{path.name}.sums")


def _read_sums(path: Path) -> _Sums:
    return read_json(_sums(path), _Sums) or {"source_sha256": "", "sha256": ""}


def _install(source: Source) -> Installed:
    root = data_folder()
    kind = source.kind.name
    target = root / kind / f"{source.name}{source.kind.suffix}"
    content = read_source(source)  # before taking the lock: an official file takes minutes
    with _writing(root, root / "manifest.lock"):
        content.save(target)
        item = Installed(kind, source.name, target, str(source.path), _sha256(source.path), _sha256(target), 0)
        item = item._replace(bytes=target.stat().st_size)
        others = [other for other in _manifest() if (other.kind, other.name) != (item.kind, item.name)]
        rows = [row._asdict() | {"path": str(row.path.relative_to(root))} for row in sorted([*others, item])]
        write_json(root / "manifest.json", {"schema": _SCHEMA, "installed": rows})
    return item


def _standing(source: Source) -> Installed:
    files = sorted(source.path.iterdir()) if source.path.is_dir() else [source.path]
    size = sum(file.stat().st_size for file in files)
    known_sha256 = _read_sums(_cached(source.kind, source.name, source.path))["source_sha256"]
    return Installed(source.kind.name, source.name, source.path, str(source.path), known_sha256, "", size)


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
    """SHA-256 of a file's content, or of the names and checksums of a folder's files."""
    if path.is_dir():
        items = [item for item in sorted(path.iterdir()) if item.is_file() or _is_visible_folder(item)]
        lines = [f"{item.name} {_sha256(item)}" for item in items]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return file_sha256(path)


def _is_visible_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _problem(item: Installed, kind: Kind) -> str:
    if not item.path.exists():
        return f"{item.path} is missing; import it again"
    if item.sha256 and _sha256(item.path) != item.sha256:
        return f"{item.path} has changed since it was installed; import it again"
    try:
        path = find_installed(kind, item.name)
        kind.native.read_source(path)
    except UserError as error:
        return str(error)
    return "" if item.sha256 else _standing_problem(item, path)


def _standing_problem(item: Installed, path: Path) -> str:
    """What has changed in a source or in its conversion since the conversion was made; empty if nothing."""
    sums = _read_sums(path)
    if _sha256(path) != sums["sha256"]:
        return f"{path} has changed since it was made from {item.path}; delete it, and it will be made again"
    if _sha256(item.path) != sums["source_sha256"]:
        return f"{item.path} has changed, keeping its size and time, since {path} was made of it; delete that"
    return ""
