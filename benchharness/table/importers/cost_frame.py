"""Latency and energy as CSV, JSON or Parquet: a row an architecture, a column a device, as HW-NAS-Bench has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import frames
from benchharness.table.costs import MOST, Cost, Costs, Measure, measure_of, measured_in
from benchharness.table.frames import floats
from benchharness.table.importers.columnar import names_in, numbers_in, ops_in
from benchharness.table.table import codes

LAYOUT: Final = "latencies or energies as CSV, JSON or Parquet with columns index or arch, raspi4, pixel3_ms, ..."
_OURS: Final = ("index", "arch")
_RUNS: Final = {"run_id", "seed"}
"""Columns of results, in which an architecture has many rows."""


def recognises(path: Path) -> str | None:
    """The file's own name where `path` has architectures and columns that are called as costs are, else None."""
    names = names_in(path, _known)
    is_cost_frame = bool(names & set(_OURS)) and not names & _RUNS and any(map(measure_of, names))
    return frames.stem(path) if is_cost_frame else None


def read_source(path: Path) -> Costs:
    """The costs in the file at `path`; raises `UserError` if it is not as its columns say."""
    return read_as(path, frames.stem(path))


def read_as(path: Path, name: str, unit: str = "") -> Costs:
    """The costs in the file at `path` under another `name`; with a `unit`, every numeric column is a cost in that unit.

    Architectures are those of the column `arch`, in any spelling, else those of the column `index`. Raises `UserError`
    if a column is missing or holds nothing positive, a value is no number, or an architecture comes twice.
    """
    stated_measure = measured_in(unit) if unit else None
    frame = frames.read_frame(path, lambda column: bool(stated_measure) or _known(column))
    if not set(_OURS) & set(frame):
        raise UserError(f"{path} has no column `arch` or `index` that says which architectures the costs are of")
    measures = _measures({str(name): column.dtype.kind for name, column in frame.items()}, stated_measure)
    if not 0 < len(measures) <= MOST:
        raise UserError(f"{path} has {len(measures) or 'no'} columns of costs; name their unit with `--unit`")
    ops = ops_in(frame, numbers_in(frame, path))
    positions = space.indices()[codes(ops)]
    if len(np.unique(positions)) < len(positions):
        raise UserError(f"{path} has an architecture twice")
    columns = []
    for column, measure in measures.items():
        values = np.full(space.SIZE, np.nan)
        values[positions] = floats(frame[column])
        if not (np.isfinite(values) & (values > 0)).any():
            raise UserError(f"column {column!r} of {path} holds no positive number, and so no cost")
        columns.append(Cost(column, measure, path.name, values))
    return Costs({"name": name, "source": path.name}, tuple(columns))


def _known(column: str) -> bool:
    return column in (*_OURS, *_RUNS) or measure_of(column) is not None


def _measures(kinds: Mapping[str, str], stated_measure: Measure | None) -> dict[str, Measure]:
    if stated_measure:
        return {name: stated_measure for name, kind in kinds.items() if name not in _OURS and kind in "iuf"}
    return {name: measure for name in kinds if (measure := measure_of(name))}
