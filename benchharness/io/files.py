"""Files that are either wholly there or not there at all, whenever the process, or the machine, stops."""

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

ARRAYS_BYTES: Final = 1 << 30
"""What the arrays of one run may unpack to; whatever is larger was not written by us."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; on leaving it is synced to disk and renamed to `path`, on an error removed."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Put `value` at `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Put `arrays` at `path` in NumPy's archive format, atomically; equal arrays give equal bytes."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the JSON file at `path`; None where the file is missing, damaged or holds something else."""
    return parsed(read_text(path))


def read_text(path: Path) -> str:
    """The text at `path`; empty where the file is missing or holds no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return ""


def read_bytes(path: Path) -> bytes | None:
    """The content of the file at `path`; None where it is missing."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def parsed(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is; None where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the archive at `path`; none where the file is missing or damaged. Never unpickles."""
    return _arrays(path)


def arrays_in(content: bytes) -> dict[str, np.ndarray]:
    """The same of an archive that is in memory."""
    return _arrays(io.BytesIO(content))


def _arrays(place: Path | io.BytesIO) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(place) as archive:
            if sum(item.file_size for item in archive.infolist()) > ARRAYS_BYTES:
                return {}
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except Exception:  # a damaged archive fails as zipfile.BadZipFile, ValueError, KeyError, zlib.error, EOFError, ...
        return {}


def _array(content: bytes) -> np.ndarray:
    """What `np.load` gives for the .npy file `content`; headers, the same in every run, are parsed once."""
    end = 10 + int.from_bytes(content[8:10], "little")
    shape, fortran, dtype = _header(content[:end])
    count = math.prod(shape)
    if len(content) != end + count * dtype.itemsize:
        raise ValueError("not as long as its header says")
    flat = np.frombuffer(content, dtype, count, end).copy()
    return flat.reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=1024)
def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type; the archives that we write have the format's first version alone."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not of version 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("objects are not unpickled")
    return shape, fortran, dtype


def is_sound(archive: Path) -> bool:
    """Whether the zip archive at `archive`, such as torch writes, is there with every checksum right; loads nothing."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.testzip() is None
    except Exception:  # as many kinds of error as there are ways to damage an archive
        return False


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Add `value` as one line of JSON and sync it to disk; a NaN is refused, since JSON has none."""
    line = json.dumps(value, allow_nan=False) + "\n"
    with path.open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects written by `append_line`, up to the first line that is torn or damaged."""
    return lines_in(read_bytes(path) or b"")


def lines_in(content: bytes) -> list[dict[str, Any]]:
    """The same of lines that are in memory."""
    lines = content.splitlines(keepends=True)
    return _parsed_at_once(lines) or list(_parsed_one_by_one(lines))


def _parsed_at_once(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """Every line's object, in two thirds of the time that they take one by one; none where any is damaged."""
    try:
        values = json.loads(b"[%s]" % b",".join(lines))
    except (ValueError, RecursionError):
        return []
    whole = len(values) == len(lines) and all(line.endswith(b"\n") for line in lines[-1:])
    return values if whole and all(isinstance(value, dict) for value in values) else []


def _parsed_one_by_one(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not line.endswith(b"\n") or not isinstance(value, dict):
            return
        yield value


def keep_lines(path: Path, count: int) -> None:
    """Cut the file to its first `count` lines; leaves it alone where it already ends there."""
    whole = path.read_bytes() if path.exists() else b""
    kept = b"".join(whole.splitlines(keepends=True)[:count])
    if kept != whole:
        with replacing(path) as temporary:
            temporary.write_bytes(kept)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def slug(name: object) -> str:
    """`name` as part of a file's name."""
    return "-".join("".join(c if c.isalnum() else " " for c in str(name)).split())
