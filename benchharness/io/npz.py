"""Our own file format: named arrays and a JSON header in one `.npz`; written atomically, validated when read."""

import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from benchharness.errors import UserError
from benchharness.io.files import array_of, arrays_of, open_file, replacing

_HEADER: Final = "header"
_HEADER_BYTES: Final = 1 << 20
_LARGEST_BYTES: Final = 1 << 34
_DAMAGE: Final = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    msgspec.DecodeError,
    RuntimeError,  # an encrypted entry, or an unknown compression
)

Arrays = dict[str, np.ndarray]


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write `header` (JSON with at least `kind` and `about`) and `arrays` to `path`, uncompressed for speed."""
    text = json.dumps(header, sort_keys=True).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.frombuffer(text, np.uint8)}, **arrays)


def header(path: Path, kind: str) -> dict[str, Any]:
    """The header of the file at `path`; empty if it is not of this `kind`. Quick, and raises nothing."""
    if path.suffix != ".npz" or not path.is_file():
        return {}
    try:
        with open_file(path, _LARGEST_BYTES) as file, zipfile.ZipFile(file) as archive:
            content = _header_in(archive)
    except (UserError, *_DAMAGE):
        return {}
    return content if _is(content, kind) else {}


def name_in(path: Path, kind: str) -> str | None:
    """The name in the header of the file at `path`; None if it is not of this `kind` or has none."""
    name = header(path, kind).get("about", {}).get("name")
    return name if name and isinstance(name, str) else None


def read_arrays(path: Path, kind: str, limit_bytes: int) -> tuple[dict[str, Any], Arrays]:
    """The header and arrays of the file of this `kind` at `path`; never unpickles.

    Raises `UserError` if the file is missing, damaged, not of this kind, or unpacks to more than `limit_bytes`.
    """
    try:
        with open_file(path, limit_bytes) as file, zipfile.ZipFile(file) as archive:
            size = sum(item.file_size for item in archive.infolist())
            if size > limit_bytes:
                raise UserError(f"{path} unpacks to {size} bytes, more than the {limit_bytes} of any {kind}")
            content = _header_in(archive)
            arrays = arrays_of(archive)
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(f"{path} is no readable {kind} ({type(error).__name__}: {str(error)[:120]})") from None
    if not _is(content, kind):
        raise UserError(f"{path} is not a {kind}")
    return content, {name: array for name, array in arrays.items() if name != _HEADER}


def _header_in(archive: zipfile.ZipFile) -> Any:
    item = archive.getinfo(f"{_HEADER}.npy")
    if item.file_size > _HEADER_BYTES:
        raise ValueError(f"its header has {item.file_size} bytes")
    return msgspec.json.decode(array_of(archive, item).tobytes())


def _is(content: Any, kind: str) -> bool:
    return isinstance(content, dict) and content.get("kind") == kind and isinstance(content.get("about"), dict)
