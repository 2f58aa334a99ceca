"""Finds and reads sources of data: files or folders in a layout that an importer knows."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from benchharness.errors import UserError

_NAME: Final = re.compile(r"\w[\w.+-]{0,99}", re.ASCII)
"""Valid names of data. They become file names, and a table file states its own name, so none may leave the folder."""
_SUFFIXES: Final = {"tables": ".npz", "costs": ".npz", "images": ".npz", "splits": ".json"}
"""Subfolders of the data folder, one per kind, and the endings of the files installed there."""
_ENTRIES: Final = 256
"""Most entries of a folder that is searched for sources; a folder with more is not a folder of data sets."""


@runtime_checkable
class Importer(Protocol):
    """A module that reads one file layout."""

    LAYOUT: str
    """Name of the layout, for the error that lists what can be imported."""

    def recognises(self, path: Path) -> str | None:
        """The name of the data at `path`, None if they are in another layout. Quick, and raises nothing."""

    def read_source(self, path: Path) -> "Saved":
        """The data at `path`; raises `UserError` if they are damaged or not in this layout."""


@runtime_checkable
class Saved(Protocol):
    """A table, an image set or a split."""

    def save(self, path: Path) -> None:
        """Write it to `path` in our format."""


class Kind(NamedTuple):
    """A kind of data that can be installed, with its importers; defined by the wing that owns the format."""

    name: str
    """Name of its subfolder: `tables`, `costs`, `images` or `splits`."""
    noun: str
    """What messages call one item of this kind."""
    native: Importer
    """Importer of our own format; it raises `UserError` if a file is damaged."""
    importers: Callable[[], Sequence[Importer]]
    """Gives all importers, `native` included; a function, because pyarrow and pillow load slowly."""

    @property
    def suffix(self) -> str:
        """Ending of its files in our own format."""
        return _SUFFIXES[self.name]


class Source(NamedTuple):
    """A file or folder that an importer reads, and the name of what it holds."""

    kind: Kind
    name: str
    path: Path
    importer: Importer


def is_name(name: str) -> bool:
    """Whether `name` may be the name of a table, an image set or a split, and so of a file."""
    return _NAME.fullmatch(name) is not None


def source_places(root: Path) -> Iterator[Path]:
    """Paths that may be sources: the entries of `root` and of its subfolders, without installed files."""
    ours = {root / kind: ending for kind, ending in _SUFFIXES.items()}
    children = visible_entries(root)
    yield from (path for path in children if path not in ours)
    for child in children:
        yield from (path for path in visible_entries(child) if path.suffix != ours.get(child))


def visible_entries(folder: Path) -> list[Path]:
    """The entries of `folder` that are not hidden; none if there are too many for a folder of data sets."""
    if not folder.is_dir():
        return []
    visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return visible if len(visible) <= _ENTRIES else []


def first_sources(root: Path, kinds: Sequence[Kind], itself: bool = False) -> list[Source]:
    """The first source of every name in `root`, as `every_source` lists them."""
    first: dict[tuple[str, str], Source] = {}
    for source in every_source(root, kinds, itself):
        first.setdefault((source.kind.name, source.name), source)
    return list(first.values())


def every_source(root: Path, kinds: Sequence[Kind], itself: bool) -> Iterator[Source]:
    """All sources of these kinds in `root`, including several of one name; with `itself`, `root` may be one, too."""
    importers = [(kind, importer) for kind in kinds for importer in kind.importers()]
    for path in (*([root] if itself else []), *source_places(root)):
        for kind, importer in importers:
            if (name := importer.recognises(path)) and is_name(name):
                yield Source(kind, name, path, importer)


def layouts(kinds: Sequence[Kind]) -> list[str]:
    """Descriptions of the layouts that can be imported."""
    return [importer.LAYOUT for kind in kinds for importer in kind.importers()]


def read_source(source: Source) -> Saved:
    """The content of `source`; raises `UserError` if its file is damaged or cannot be read."""
    try:
        return source.importer.read_source(source.path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{source.path} cannot be read as {source.importer.LAYOUT} ({reason})") from error
