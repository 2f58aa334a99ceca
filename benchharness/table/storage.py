"""Stores a table in our file format, a named array per column, and computes the digest of its content."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from jaxtyping import Int, UInt8

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import npz
from benchharness.table.metric import Metric

KIND: Final = "benchharness table"
FORMAT: Final = 1
_SHAPES: Final = {
    "ops": ("uint8", 2),
    "numbers": ("int32", 1),  # written by versions up to 0.1; not needed, as `ops` identifies the rows
    "means": ("float64", 1),
    "by_seed": ("float64", 2),
    "times": ("float64", 1),
}
"""Type and number of axes of every array."""
_ABOUT: Final = ("name", "version", "source", "seed_rule", "sha256")
LIMIT_BYTES: Final = 1 << 28
"""Far above any table of 15,625 architectures; what unpacks to more is not read."""


class Content(Protocol):
    """The part of a `Table` that a file holds; spelt out here because `table.py` imports this module."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Name, version, source and seed rule."""

    @property
    def ops(self) -> UInt8[np.ndarray, "archs edges"]:
        """The operations of every row."""

    @property
    def complete(self) -> bool:
        """Whether every architecture of the space has a row."""

    @property
    def numbers(self) -> Int[np.ndarray, "archs"]:
        """The benchmark's index of every row."""


def write_table(path: Path, table: Content) -> None:
    """Write `table` to `path`, atomically."""
    npz.write_arrays(path, {"kind": KIND, "format": FORMAT, "about": dict(table.about)}, _arrays(table))


def read_table(path: Path) -> dict[str, Any]:
    """The fields of the `Table` in the file at `path`; raises `UserError` if the file is damaged or of another kind."""
    header, arrays = npz.read_arrays(path, KIND, LIMIT_BYTES)
    if header.get("format") != FORMAT:
        raise UserError(f"{path} is a table of format {header.get('format')!r}; this version reads format {FORMAT}")
    fields: dict[str, Any] = {"about": header["about"], "means": {}, "by_seed": {}, "times": {}}
    try:
        if not all(isinstance(header["about"][key], str) for key in _ABOUT):
            raise ValueError("about")
        for name, array in arrays.items():
            if (str(array.dtype), array.ndim) != _SHAPES[name.partition("/")[0]]:
                raise ValueError(f"{name} is {array.ndim} axes of {array.dtype}")
            array.setflags(write=False)
            match name.split("/"):
                case ["ops"]:
                    fields["ops"] = array
                case ["numbers"]:
                    continue
                case [("means" | "by_seed") as field, dataset, split, epochs]:
                    fields[field][Metric(dataset, split, int(epochs))] = array
                case ["times", dataset, epochs]:
                    fields["times"][dataset, int(epochs)] = array
                case _:
                    raise KeyError(name)
        return fields | {"ops": fields["ops"]}
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is a damaged table ({type(error).__name__}: {str(error)[:80]})") from None


def digest(table: Content) -> str:
    """SHA-256 of all arrays of the table, without `about`.

    `numbers` is included as older versions wrote it to files, so that digests stay the same.
    """
    content = hashlib.sha256()
    numbers = table.numbers if table.complete else np.ravel_multi_index(tuple(table.ops.T), (len(space.OPS),) * 6)
    for name, array in sorted((_arrays(table) | {"numbers": numbers.astype(np.int32)}).items()):
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def _arrays(table: Content) -> dict[str, Any]:
    arrays_by_name: dict[str, Any] = {"ops": table.ops}
    for field in ("means", "by_seed", "times"):
        arrays_by_name |= {"/".join((field, *map(str, key))): column for key, column in getattr(table, field).items()}
    return arrays_by_name
