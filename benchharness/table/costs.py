"""Latencies and energies of architectures by device, measured by others; odd values are marked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import npz
from benchharness.io.files import path_of

KIND: Final = "benchharness costs"
FORMAT: Final = 1
LIMIT_BYTES: Final = 1 << 26
MOST: Final = 256
"""Most costs in one file."""
UNITS: Final = {"ms": "latency", "us": "latency", "mj": "energy", "uj": "energy", "j": "energy"}
"""Units that end column names, and their quantity."""
_SPELT: Final = {"mj": "mJ", "uj": "uJ", "j": "J"}
_TOLD: Final = re.compile(rf".+_(?P<unit>{'|'.join(UNITS)})|(?:.+_)?(?P<quantity>latency|energy)", re.IGNORECASE)
_DEVICE: Final = re.compile(
    r"(?:\d{4}ti|titan_?\w+|gold|silver|raspi\d*|pixel\d*|samsung|essential_ph|eyeriss|fpga|edge_?[gt]pu)(?:_\w+)*",
    re.IGNORECASE,
)
"""Devices that HW-NAS-Bench (Li et al., ICLR 2021) and HELP (Lee et al., NeurIPS 2021) name columns after."""
LEAST: Final = 1 / 20
MOST_TIMES: Final = 5
"""Multiples of the median below (`1/20`) and above which a value is odd.

Measured on two public tables of 48 latencies and energies: the values below a twentieth, 0 to 341 of 15,625 in a
column, are those of cells that a compiler folded away (a hundredth and less) and stragglers close to them; above five
times there are 3 in all.
"""


class Measure(NamedTuple):
    """Quantity and unit of a cost."""

    quantity: str
    """`latency` or `energy`."""
    unit: str
    """As stated by the file or on import; empty if unknown."""


@dataclass(frozen=True, eq=False)
class Cost:
    """One cost of every architecture."""

    name: str
    """Name of the column."""
    measure: Measure
    source: str
    """Name of the file."""
    stated: Float[np.ndarray, "indices"]
    """Values of the file, by the benchmark's index; NaN if missing."""

    @property
    def label(self) -> str:
        """Name, quantity and unit, for axes and headings."""
        return f"{self.measure.quantity}, {self.name} ({self.measure.unit or 'unit not stated'})"

    @cached_property
    def median(self) -> float:
        """Median of the positive finite values."""
        return float(np.median(self.stated[np.isfinite(self.stated) & (self.stated > 0)]))

    @cached_property
    def impossible(self) -> Bool[np.ndarray, "indices"]:
        """Mask of zeros, negative and infinite values."""
        return ~np.isnan(self.stated) & ~((self.stated > 0) & np.isfinite(self.stated))

    @cached_property
    def small(self) -> Bool[np.ndarray, "indices"]:
        """Mask of values below a twentieth of the median."""
        return ~self.impossible & (self.stated < LEAST * self.median)

    @cached_property
    def large(self) -> Bool[np.ndarray, "indices"]:
        """Mask of values above five times the median."""
        return ~self.impossible & (self.stated > MOST_TIMES * self.median)

    @cached_property
    def odd(self) -> Bool[np.ndarray, "indices"]:
        """Mask of values that are not used: impossible, small or large ones."""
        return self.impossible | self.small | self.large

    @cached_property
    def values(self) -> Float[np.ndarray, "indices"]:
        """Values by the benchmark's index; NaN if odd or missing."""
        return np.where(self.odd, np.nan, self.stated)

    def why(self, index: int) -> str:
        """Why the value of an architecture is odd; empty if it is not."""
        if self.impossible[index]:
            return "no positive number"
        if self.small[index]:
            return "below a twentieth of the median"
        return "above five times the median" if self.large[index] else ""

    def summary(self) -> str:
        """A line on source, median, and odd or missing values."""
        kinds = {
            "no positive number": self.impossible,
            "below a twentieth of the median": self.small,
            "above five times it": self.large,
        }
        odd_counts = ", ".join(f"{int(mask.sum()):,} {kind}" for kind, mask in kinds.items() if mask.any()) or "none"
        measured_count = int((~np.isnan(self.stated)).sum())
        numbers = f"{measured_count:,} architectures, median {self.median:.4g}, odd: {odd_counts}"
        return f"{self.label}, {self.source}: {numbers}"


@dataclass(frozen=True, eq=False)
class Costs:
    """The costs of one file."""

    about: Mapping[str, Any]
    """`name` and `source`."""
    columns: tuple[Cost, ...]

    @classmethod
    def open(cls, path: Path | str) -> "Costs":
        """Load the costs that `save` wrote to `path`; raises `UserError` if there are none."""
        header, arrays = npz.read_arrays(path_of(path), KIND, LIMIT_BYTES)
        description, measures = header["about"], header.get("measures")
        if header.get("format") != FORMAT or not isinstance(measures, dict) or set(measures) != set(arrays):
            raise UserError(f"{path} holds damaged costs, or those of another version")
        if any((str(column.dtype), column.shape) != ("float64", (space.SIZE,)) for column in arrays.values()):
            raise UserError(f"{path} holds damaged costs: its columns are not of {space.SIZE:,} numbers")
        source = str(description.get("source", path))
        try:
            return cls(
                description, tuple(Cost(name, Measure(*measures[name]), source, arrays[name]) for name in arrays)
            )
        except TypeError:
            raise UserError(f"{path} holds damaged costs: a column states no quantity and unit") from None

    def save(self, path: Path | str) -> None:
        """Write the costs to `path`, replacing what is there only once they are written whole."""
        measures = {cost.name: list(cost.measure) for cost in self.columns}
        header = {"kind": KIND, "format": FORMAT, "about": dict(self.about), "measures": measures}
        npz.write_arrays(path_of(path), header, {cost.name: cost.stated for cost in self.columns})


def measure_of(column: str) -> Measure | None:
    """Quantity and unit of a column, by its ending or a known device name; None if the name does not tell.

    `pi5_onnx_ms`, `edgegpu_energy`, `raspi4`.
    """
    if match := _TOLD.fullmatch(column):
        unit = (match["unit"] or "").lower()
        return Measure(UNITS[unit] if unit else match["quantity"].lower(), _SPELT.get(unit, unit))
    return Measure("latency", "") if _DEVICE.fullmatch(column) else None


def measured_in(unit: str) -> Measure:
    """The measure with the given unit; raises `UserError` if the unit is unknown."""
    if unit.lower() not in UNITS:
        units = ", ".join(_SPELT.get(name, name) for name in UNITS)
        raise UserError(f"unknown unit {unit[:40]!r}; known: {units}")
    return Measure(UNITS[unit.lower()], _SPELT.get(unit.lower(), unit.lower()))
