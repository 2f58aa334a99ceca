"""What a release says of every architecture beyond its final accuracies: learning curves and measured latency.

A file of its own beside the table's (`NAME.details.npz`, 50 MB for the whole benchmark), so that tables stay quick to
load. Curves are kept as whole numbers of 1/600 of a percentage point: closer than 0.001 points to what was released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt16

from benchharness.errors import UserError
from benchharness.io import npz
from benchharness.io.files import path_of

KIND: Final = "benchharness table details"
FORMAT: Final = 1
LIMIT_BYTES: Final = 1 << 28
STEPS: Final = 600
"""Steps a percentage point is divided into; a mean of three runs on 10,000 images is always a whole number of them."""
MISSING: Final = 65_535


class Curve(NamedTuple):
    """Which curve: in the release's own words, as its figures are named by what a network was trained on."""

    trained_on: str
    """`cifar10-valid` (25,000 images), `cifar10` (all 50,000), `cifar100` or `ImageNet16-120`."""
    measured_on: str
    """`train`, `x-valid`, `x-test` or `ori-test` (all test images)."""
    epochs: int
    """Of the whole training: 200, or 12."""

    def __str__(self) -> str:
        return f"{self.trained_on} {self.measured_on} over {self.epochs} epochs"


@dataclass(frozen=True, eq=False)
class Details:
    """Learning curves and latencies of the architectures of a table, in the same order of rows."""

    about: Mapping[str, Any]
    """`name` of the table and `table_sha256`, the digest of its content."""
    curves: Mapping[Curve, UInt16[np.ndarray, "archs epochs"]]
    latencies: Mapping[str, Float[np.ndarray, "archs"]]
    """Seconds of one forward pass of a batch on the authors' GPU, by what the network was trained on."""

    @classmethod
    def open(cls, path: Path | str) -> "Details":
        """The details that `save` wrote to `path`; raises `UserError` where there are none."""
        header, arrays = npz.read(path_of(path), KIND, LIMIT_BYTES)
        if header.get("format") != FORMAT:
            raise UserError(f"{path} holds details of format {header.get('format')!r}; this version reads {FORMAT}")
        details = cls(header["about"], {}, {})
        if len({len(array) if array.ndim else -1 for array in arrays.values()}) > 1:
            raise UserError(f"{path} holds damaged details: columns of different lengths")
        for name, array in arrays.items():
            match name.split("/"):
                case ["curves", trained_on, measured_on, epochs] if (str(array.dtype), array.shape[1:]) == (
                    "uint16",
                    (_epochs(epochs),),
                ):
                    details.curves[Curve(trained_on, measured_on, int(epochs))] = array  # type: ignore[index]
                case ["latencies", trained_on] if (str(array.dtype), array.ndim) == ("float64", 1):
                    details.latencies[trained_on] = array  # type: ignore[index]
                case _:
                    raise UserError(f"{path} holds damaged details: what is {name[:80]!r}?")
        return details

    def save(self, path: Path | str) -> None:
        """Write the details to `path`, replacing what is there only once they are written whole."""
        arrays = {"/".join(("curves", *map(str, key))): column for key, column in self.curves.items()}
        arrays |= {f"latencies/{key}": column for key, column in self.latencies.items()}
        npz.write(path_of(path), {"kind": KIND, "format": FORMAT, "about": dict(self.about)}, arrays)

    def accuracy(
        self, rows: Int[np.ndarray, "*archs"] | int, trained_on: str, measured_on: str, epochs: int = 200
    ) -> Float[np.ndarray, "*archs epochs"]:
        """Accuracy in percent after every epoch, the mean over the training runs; NaN where none was released.

        Raises `UserError` for a curve that was not released, and lists those that were.
        """
        key = Curve(trained_on, measured_on, epochs)
        if key not in self.curves:
            raise UserError(f"no curve of {key}; there are: {'; '.join(map(str, self.curves)) or 'none'}")
        steps = self.curves[key][rows]
        return np.where(steps == MISSING, np.nan, steps / STEPS)


def _epochs(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
