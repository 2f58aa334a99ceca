"""A table as one file of ours, and the digest of its content."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import npz
from benchharness.errors import UserError
from benchharness.table.figures import Figure

if TYPE_CHECKING:
    from benchharness.table.table import Table

KIND: Final = "benchharness table"
FORMAT: Final = 1
LIMIT_BYTES: Final = 1 << 28
"""Far above any table of 15,625 architectures; what unpacks to more is not read."""


def write(path: Path, table: "Table") -> None:
    """Write `table` to `path`, replacing what is there only once it is written whole."""
    npz.write(path, {"kind": KIND, "format": FORMAT, "about": dict(table.about), **_layout(table)}, _arrays(table))


def read(path: Path) -> dict[str, Any]:
    """The fields of the `Table` in the file at `path`; raises `UserError` where it holds none."""
    header, arrays = npz.read(path, KIND, LIMIT_BYTES)
    if header.get("format") != FORMAT:
        raise UserError(f"{path} is a table of format {header.get('format')!r}; this version reads format {FORMAT}")
    for array in arrays.values():
        array.setflags(write=False)
    try:
        return {
            "about": dict(header["about"]),
            "ops": arrays["ops"],
            "numbers": arrays["numbers"],
            "means": dict(zip((Figure(*key) for key in header["means"]), arrays["means"], strict=True)),
            "by_seed": dict(zip((Figure(*key) for key in header["by_seed"]), arrays["by_seed"], strict=True)),
            "times": dict(zip(((name, epochs) for name, epochs in header["times"]), arrays["times"], strict=True)),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is a damaged table: {error}") from None


def digest(table: "Table") -> str:
    """SHA-256 of everything the table says, its `about` left out."""
    content = hashlib.sha256(repr(sorted(_layout(table).items())).encode())
    for name, array in sorted(_arrays(table).items()):
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def _layout(table: "Table") -> dict[str, Any]:
    return {
        "means": [list(key) for key in table.means],
        "by_seed": [list(key) for key in table.by_seed],
        "times": [list(key) for key in table.times],
    }


def _arrays(table: "Table") -> dict[str, Any]:
    def stacked(columns: Any, *shape: int) -> Any:
        return np.stack(list(columns)) if columns else np.empty((0, *shape))

    return {
        "ops": table.ops,
        "numbers": table.numbers,
        "means": stacked(table.means.values(), len(table)),
        "by_seed": _padded(list(table.by_seed.values()), len(table)),
        "times": stacked(table.times.values(), len(table)),
    }


def _padded(columns: list[Any], rows: int) -> Any:
    """The columns side by side, NaN where one has fewer training runs than another."""
    runs = max((column.shape[1] for column in columns), default=0)
    joined = np.full((len(columns), rows, runs), np.nan)
    for place, column in zip(joined, columns, strict=True):
        place[:, : column.shape[1]] = column
    return joined
