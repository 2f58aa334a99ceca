"""NAS-Bench-201 and NATS-Bench as their authors released them (Dong & Yang 2020; Dong et al. 2021).

All are pickles. They are read by `benchharness.io.pickles`, which runs nothing they name, an architecture at a time: a
folder or archive of 15,625 small files as well as one file of gigabytes takes less than 1 GB of memory. The files that
hold trained weights (`-full`, `-archive`) are not read; nothing in them is needed for a table.
"""

import bz2
import io
import pickletools
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import archives, pickles
from benchharness.io.files import SOURCE_BYTES, open_file, read_up_to
from benchharness.io.progress import with_bar
from benchharness.table.frames import without_copy_suffix
from benchharness.table.importers.trials import Gathered
from benchharness.table.nas_bench_201 import NAME, checked
from benchharness.table.table import Table

LAYOUT: Final = "NAS-Bench-201 (.pth) or NATS-Bench topology (.pickle.pbz2, or the -simple folder or .tar) as released"
PART: Final = f"{NAME}-part"
"""The name of what holds only some of the architectures, where no other is given."""
_COMPRESSED: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_FILE: Final = re.compile(r"(\d{6})\.pickle\.pbz2", re.ASCII)
_VERSION: Final = re.compile(r"v(\d+_\d+)-([0-9a-f]{5,6})")
_ONE_FILE_BYTES: Final = 1 << 24
"""Size limit of one unpacked architecture; official ones have 326,000 bytes."""
_MEMBERS_LIMIT: Final = 2 * space.SIZE
_MAGIC: Final = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of files that `torch.save` wrote before torch 1.6, such as the benchmark's."""
_PTH: Final = re.compile(r"NAS-Bench-201-v\d+_\d+-[0-9a-f]+\.pth", re.ASCII | re.IGNORECASE)
_PBZ2: Final = re.compile(r"NATS-tss-v\d+_\d+-[0-9a-f]+\.pickle\.pbz2", re.ASCII | re.IGNORECASE)
_TAR: Final = re.compile(r"NATS-tss-v\d+_\d+-[0-9a-f]+-simple\.(tar(\.(gz|bz2|xz))?|tgz)", re.ASCII | re.IGNORECASE)
_SIZES: Final = re.compile(r"\d+(:\d+)+")
"""Spelling of an architecture in NATS-Bench's size search space."""


def recognises(path: Path) -> str | None:
    """The benchmark's name if `path` is one of its forms, another name if it holds a part of it, else None.

    Files are recognised by the names they were released under; any other is imported by giving the table a name.
    Folders of the size search space (`NATS-sss`) are none of this benchmark's, whatever they are called.
    """
    if path.is_dir():
        files = _files(path)
        if not files or _is_of_sizes(files):
            return None
        return NAME if len(files) == space.SIZE else PART
    return NAME if path.is_file() and _form(path) else None


def read_source(path: Path) -> Table:
    """The table at `path`; raises `UserError` if it is not the benchmark, whole and unmixed.

    A folder may hold a part: its table has another name.
    """
    return read_as(path, recognises(path) or NAME)


def read_as(path: Path, name: str) -> Table:
    """The table at `path`, which may hold a part of the benchmark, under another `name` than the benchmark's."""
    if path.is_dir() and not _files(path):
        raise UserError(f"{path} holds no file of an architecture, such as 000000.pickle.pbz2")
    if path.is_dir() and _is_of_sizes(_files(path)):
        raise UserError(f"{path} is NATS-Bench's size search space; the topology space (NATS-tss) is NAS-Bench-201's")
    gathering = Gathered()
    for index, states in with_bar(entries(path), space.SIZE, f"reading {path.name}"):
        gathering.add(index, states)
    version = _VERSION.search(path.name)
    table = gathering.finish(name, version[0] if version else "unknown", path.name)
    if name == NAME and not table.complete:
        problem = f"{path} holds {len(table)} of the {space.SIZE:,} architectures of NAS-Bench-201"
        raise UserError(f"{problem}; import it under another name (`--name`)")
    return checked(table)


def is_readable(path: Path) -> bool:
    """Whether `path` has the ending or the files of one of the official forms."""
    if path.is_dir():
        return bool(_files(path))
    return without_copy_suffix(path.name).lower().endswith((".pth", ".pickle.pbz2", *_COMPRESSED))


def _form(path: Path) -> bool:
    return any(pattern.fullmatch(without_copy_suffix(path.name)) for pattern in (_PTH, _PBZ2, _TAR))


def _files(folder: Path) -> dict[int, Path]:
    return {int(match[1]): path for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))}


def _is_of_sizes(files: dict[int, Path]) -> bool:
    """Whether the first of `files` is of the size search space; False if it is damaged."""
    try:
        states = _one(open_file(files[min(files)]), files[min(files)])
        return any(_SIZES.fullmatch(str(state["arch_str"])) for state in states.values())
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        return False


def entries(path: Path) -> Iterator[tuple[Any, Any]]:
    """The benchmark's index of each architecture at `path`, and its trainings, as the release has them."""
    if path.is_dir():
        for index, file in sorted(_files(path).items()):
            yield index, _one(open_file(file), file)
    elif without_copy_suffix(path.name).lower().endswith(_COMPRESSED):
        yield from _members(path)
    else:
        with _opened(path) as stream_of_file:
            yield from pickles.stream(stream_of_file, path, "arch2infos")
            # Other pickles follow the one in an old .pth, so only newer forms have to end here.
            if not without_copy_suffix(path.name).lower().endswith(".pth") or isinstance(
                stream_of_file, zipfile.ZipExtFile
            ):
                archives.drain(stream_of_file)


def _one(compressed: io.BufferedIOBase, source: object) -> dict[Any, Any]:
    """The states of one architecture, unpacked no further than any needs."""
    try:
        with compressed, bz2.BZ2File(compressed) as file:
            data = read_up_to(file, _ONE_FILE_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{source} is no bzip2 file, or a damaged one ({error})") from None
    if len(data) > _ONE_FILE_BYTES:
        raise UserError(f"{source} unpacks to more than {_ONE_FILE_BYTES} bytes")
    return pickles.read_pickle(data, source)


def _members(path: Path) -> Iterator[tuple[Any, Any]]:
    """The files of an archive of the folder, in its order; nothing is unpacked to disk."""
    for name, read_file in archives.members(path, _MEMBERS_LIMIT, _ONE_FILE_BYTES):
        if match := _FILE.fullmatch(name.name):
            yield int(match[1]), _one(io.BytesIO(read_file()), f"{path}: {name.name}")


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """The pickle in a file of the one-file forms, unpacked as it is read."""
    try:
        with open_file(path, SOURCE_BYTES) as file:
            if without_copy_suffix(path.name).lower().endswith(".pbz2"):
                with bz2.open(file, "rb") as stream:
                    yield stream
            elif zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    names = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
                    with archive.open(names[0] if names else "data.pkl") as member:
                        yield member  # type: ignore[misc]
            else:
                file.seek(0)
                _skip_heads(file)
                yield file
    except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged, or not what its name says ({error})") from None


def _skip_heads(file: io.BufferedIOBase) -> None:
    """Go past the three small pickles that `torch.save` wrote before the one that matters."""
    head = file.read(1 << 12)
    if not head.startswith(_MAGIC):
        file.seek(0)
        return
    heads = io.BytesIO(head)
    try:
        for _ in range(3):
            for _ in pickletools.genops(heads):
                pass
    except (ValueError, IndexError, UnicodeDecodeError):
        raise UserError("it does not begin like a file that torch wrote") from None
    file.seek(heads.tell())
