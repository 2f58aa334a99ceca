"""Reads archives and packed files to their very end, where their formats keep the checksums."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

from benchharness.errors import UserError
from benchharness.io.files import SOURCE_BYTES, open_file

DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError)
"""Exceptions that reading a damaged archive may raise."""
_UNPACKERS: Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),  # type: ignore[dict-item, return-value]
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_PIECE: Final = 1 << 20


def members(path: Path, most: int, largest: int) -> Iterator[tuple[PurePosixPath, Callable[[], bytes]]]:
    """The path of each file in the tar archive at `path`, packed or not, with a function that reads it; in order.

    Read each file before you ask for the next one; nothing is unpacked to disk. Raises `UserError` if the archive is
    damaged, even after its last file, if it has more than `most` members or one of more than `largest` bytes, or if a
    member is a link, occurs twice, or leads out of the archive.
    """
    names: set[PurePosixPath] = set()
    with open_file(path, SOURCE_BYTES) as file:
        try:
            with unpacking(file) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
                for count, member in enumerate(archive):
                    name = _checked(path, member, names)
                    if count >= most:
                        raise UserError(f"{path} is refused: it has more than {most} members")
                    if member.size > largest:
                        raise UserError(f"{path} is refused: {name} has {member.size} bytes, too many for one of it")
                    if content := archive.extractfile(member):
                        yield name, partial(_read, content, path)
                _check_end(stream, path)
        except DAMAGE as error:
            raise UserError(f"{path} is a damaged archive ({error})") from None


def _read(content: IO[bytes], path: Path) -> bytes:
    try:
        return content.read()
    except DAMAGE as error:
        raise UserError(f"{path} is a damaged archive ({error})") from None


def unpacking(file: IO[bytes]) -> IO[bytes]:
    """The unpacked content of `file`, if its first bytes are those of gzip, bzip2 or xz; else `file` itself."""
    head = file.read(8)
    file.seek(0)
    return next((unpack(file) for magic, unpack in _UNPACKERS.items() if head.startswith(magic)), file)


def drain(stream: IO[bytes] | io.BufferedIOBase) -> None:
    """Read `stream` to its end; a packed stream raises there if its content does not have the stored checksum."""
    while stream.read(_PIECE):
        pass


def _check_end(stream: IO[bytes], path: Path) -> None:
    """Raise `UserError` if anything but zeros follows the end mark of an archive, at which `tarfile` stops reading."""
    while chunk := stream.read(_PIECE):
        if chunk.strip(b"\0"):
            raise UserError(f"{path} is refused: more follows behind the end of the archive")


def _checked(path: Path, member: tarfile.TarInfo, names: set[PurePosixPath]) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise UserError(f"{path} is refused: its member {member.name[:80]!r} is a link or leads out of the archive")
    if name in names and member.isfile():
        raise UserError(f"{path} is refused: it has {member.name[:80]!r} twice")
    names.add(name)
    return name
