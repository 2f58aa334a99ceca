"""Writes files atomically, and reads files that may be damaged or hostile.

Only regular files up to a size limit are opened. Content is decoded into typed values; what does not fit is None.
"""

import errno
import hashlib
import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import msgspec
import numpy as np

from benchharness.errors import UnwritableError, UserError, unwritable

T = TypeVar("T")

LIMIT_BYTES: Final = 1 << 26
"""Size limit of every file of a run except its arrays and its checkpoint."""
ARRAYS_BYTES: Final = 1 << 28
"""Size limit of the unpacked arrays of one run."""
CHECKPOINT_BYTES: Final = 1 << 33
SOURCE_BYTES: Final = 1 << 34
"""Size limit of a file to import; far more than any release has."""
_PART_BYTES: Final = 1 << 20
NUMBERS: Final = "biuf"
"""NumPy kinds of arrays that are read: booleans and numbers."""
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


def open_file(path: Path, limit_bytes: int = LIMIT_BYTES) -> io.BufferedReader:
    """The file at `path`, opened for reading; raises `UserError` if it is not a regular file, or exceeds the limit."""
    try:
        _check_regular(path, path.stat(), limit_bytes)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UserError(f"{path} is no regular file") from None
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _check_regular(path, os.fstat(file.fileno()), limit_bytes)
    except UserError:
        file.close()
        raise
    return file


def _check_regular(path: Path, status: os.stat_result, limit_bytes: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is no regular file")
    if status.st_size > limit_bytes:
        raise UserError(f"{path} has {status.st_size} bytes; more than {limit_bytes} are not read")


def read_bytes(path: Path, limit_bytes: int = LIMIT_BYTES) -> bytes | None:
    """The content of the file at `path`; None if it is missing, not a regular file, or larger than `limit_bytes`."""
    try:
        with open_file(path, limit_bytes) as file:
            return read_up_to(file, limit_bytes)
    except (FileNotFoundError, NotADirectoryError, UserError):
        return None


def read_up_to(file: io.BufferedIOBase | IO[bytes], limit_bytes: int) -> bytes:
    """The rest of `file`, at most `limit_bytes`; memory is allocated for its real size, not for the limit."""
    chunks, bytes_left = [], limit_bytes
    while chunk := file.read(min(bytes_left, _PART_BYTES)):
        chunks.append(chunk)
        bytes_left -= len(chunk)
    return b"".join(chunks)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within a `with` block, an `OSError` becomes an `UnwritableError` that names `path`."""
    try:
        yield
    except UnwritableError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write to, which is then synced to disk and renamed to `path`; on an error, removed.

    Raises `UnwritableError`, which names `path`, if the disk is full or the folder is read-only.
    """
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        temporary.unlink(missing_ok=True)  # left by a killed process, or a link or pipe that we must not write to
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with open_file(path, SOURCE_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, atomically."""
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write `content` to `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` to `path` in NumPy's archive format, atomically; equal arrays give equal bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append `value` as one line of JSON and sync it to disk; raises `ValueError` on a NaN, which JSON lacks."""
    line = json.dumps(value, allow_nan=False) + "\n"
    with writing(path), path.open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def write_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Write `values` to `path` as lines of JSON, atomically; the same bytes as `append_line` called for each."""
    write_text(path, "".join(json.dumps(value, allow_nan=False) + "\n" for value in values))


def keep_lines(path: Path, count: int) -> None:
    """Cut the file to its first `count` lines; does nothing if it has no more."""
    content = read_bytes(path)
    first = b"".join((content or b"").splitlines(keepends=True)[:count])
    if first != content and os.path.lexists(path):  # also if it is no regular file, to which no line could be added
        write_bytes(path, first)


def convert(value: object, kind: type[T]) -> T | None:
    """A decoded JSON value as an instance of `kind`; None if it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except _UNDECODABLE:
        return None


def decode(content: bytes | None, kind: type[T]) -> T | None:
    """The JSON value in `content`; None if it is damaged or does not fit `kind`. Keys unknown to `kind` are kept."""
    try:
        value = msgspec.json.decode(content or b"")
        msgspec.convert(value, kind)
    except _UNDECODABLE:
        return None
    return value


def read_json(path: Path, kind: type[T]) -> T | None:
    """Like `decode`, for the JSON file at `path`; None also if the file is missing."""
    return decode(read_bytes(path), kind)


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """The lines that `append_line` wrote, up to the first that is torn, damaged or does not fit `kind`."""
    return lines_in(read_bytes(path) or b"", kind)


def lines_in(content: bytes, kind: type[T]) -> list[T]:
    """Like `read_lines`, for lines in memory."""
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    values = decode(b"[%s]" % b",".join(lines), list[kind])  # type: ignore[valid-type]  # at once, which is quicker
    if values is not None and len(values) == len(lines):
        return values
    one_by_one = (decode(line, kind) for line in lines)
    return list(takewhile(lambda value: value is not None, one_by_one))  # type: ignore[arg-type]


def read_arrays(path: Path, limit_bytes: int = ARRAYS_BYTES) -> dict[str, np.ndarray]:
    """The arrays in the archive at `path`; empty if the file is missing or damaged. Never unpickles."""
    return arrays_in(read_bytes(path, limit_bytes) or b"", limit_bytes)


def arrays_in(content: bytes, limit_bytes: int = ARRAYS_BYTES) -> dict[str, np.ndarray]:
    """Like `read_arrays`, for an archive in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > limit_bytes:
                return {}
            return arrays_of(archive)
    except Exception:  # a damaged archive fails as zipfile.BadZipFile, ValueError, KeyError, zlib.error, EOFError, ...
        return {}


def arrays_of(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The arrays of an open archive; raises an exception if one is damaged, before memory is allocated for it."""
    return {item.filename.removesuffix(".npy"): array_of(archive, item) for item in archive.infolist()}


def array_of(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> np.ndarray:
    """The array that `np.load` would give, in a third of the time: equal headers, as in all runs, are parsed once."""
    with archive.open(item) as file:
        begin = file.read(10)
        begin += file.read(int.from_bytes(begin[8:10], "little"))
        shape, fortran, dtype = _header(begin)
        if item.file_size != len(begin) + math.prod(shape) * dtype.itemsize:
            raise ValueError("not as long as its header says")
        flat = np.empty(math.prod(shape), dtype)
        content, position = flat.view(np.uint8), 0
        while chunk := file.read(_PART_BYTES):  # to the end, where zipfile checks the checksum
            content[position : (position := position + len(chunk))] = np.frombuffer(chunk, np.uint8)
    if position != len(content):
        raise ValueError("not as long as the archive says")
    return flat.reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=1024)
def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type in an array's header; our own archives use version 1.0 of the format."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not of version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in NUMBERS:
        raise ValueError("no array of numbers")
    return shape, fortran, dtype


def is_sound(archive: Path, limit_bytes: int = CHECKPOINT_BYTES) -> bool:
    """Whether `archive`, a zip file such as torch writes, exists and all its checksums are right."""
    try:
        with open_file(archive, limit_bytes) as file, zipfile.ZipFile(file) as zip_archive:
            is_stored = all(item.compress_type == zipfile.ZIP_STORED for item in zip_archive.infolist())
            return is_stored and zip_archive.testzip() is None
    except Exception:  # a damaged archive raises many kinds of errors
        return False


def path_of(path: str | Path) -> Path:
    """`path` with a leading ~ replaced by the home folder; shells do so in some places only.

    Raises `UserError` if it is not a valid path, or names the home of an unknown user.
    """
    if "\0" in str(path):
        raise UserError(f"{str(path)[:80]!r} is no path: it holds a NUL")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        reason = "this machine knows no such user's home; for a name that begins with ~ write ./~"
        raise UserError(f"{str(path)[:80]!r} is no path: {reason}") from None


def check_folder(path: Path, noun: str) -> None:
    """Raise `UserError` if `path` exists and is not a folder, or if one of its parents is not."""
    for place in (path, *path.parents):
        try:
            mode = place.stat().st_mode  # one call, as another process may be swapping the folder
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(mode):
            where = "" if place == path else f": {readable(place)!r}"
            raise UserError(f"{noun} {readable(path)!r}{where} is a file, not a folder; choose another place")
        return


def check_results(path: Path) -> None:
    """Raise `UserError` unless `path` is a folder, in which results may be."""
    if not path.is_dir():
        raise UserError(f"no results folder {str(path)!r}; `benchharness run` makes one")


def readable(name: str | Path) -> str:
    """A file's name as printable text; bytes that are not UTF-8 are written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def slug(name: object) -> str:
    """`name` with everything but letters and digits replaced by hyphens, for use in file names."""
    return shortened("-".join("".join(c if c.isalnum() else " " for c in str(name)).split()))


def shortened(name: str, limit_bytes: int = 100) -> str:
    """`name`, shortened if it is longer than `limit_bytes`; a hash at the end keeps it unique."""
    content = name.encode("utf-8", "surrogateescape")
    if len(content) <= limit_bytes:
        return name
    return f"{content[: limit_bytes - 9].decode('utf-8', 'ignore')}-{hashlib.sha256(content).hexdigest()[:8]}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
