"""Costs that `Costs.save` wrote, on this machine or another."""

from pathlib import Path
from typing import Final

from benchharness.io import npz
from benchharness.table.costs import KIND, Costs

LAYOUT: Final = "costs in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name the costs give themselves, None if `path` is no such file."""
    return npz.name_in(path, KIND)


def read_source(path: Path) -> Costs:
    """The costs in the file at `path`; raises `UserError` if it is not what it says."""
    return Costs.open(path)
