"""Lists the differences between two executions of one run, apart from machine and time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchharness.io import files
from benchharness.store.frame import arrays
from benchharness.store.run_folder import TIMES


def differences(first: Path, again: Path) -> Iterator[str]:
    """A sentence for every difference between record, arrays and trace of the runs in `first` and `again`."""
    one, other = (files.read_json(path / "record.json", dict[str, Any]) or {} for path in (first, again))
    for key in sorted((one | other).keys() - {"package_sha256", "files", "sha256"}):
        if one.get(key) != other.get(key):
            yield f"{key}: {one.get(key)} then, {other.get(key)} now"
    before, after = arrays(first), arrays(again)
    for name in sorted(before | after):
        if name not in before or name not in after:
            yield f"{name}: in {'the first' if name in before else 'the second'} only"
        elif not np.array_equal(before[name], after[name], equal_nan=before[name].dtype.kind == "f"):
            yield f"{name}: {_distance(before[name], after[name])}"
    if _lines(first) != _lines(again):
        yield "trace.jsonl: losses or accuracies differ"


def _distance(one: np.ndarray, other: np.ndarray) -> str:
    if one.shape != other.shape:
        return f"shape {one.shape} then, {other.shape} now"
    return f"differs by up to {np.nanmax(np.abs(one.astype(float) - other.astype(float))):.3g}"


def _lines(folder: Path) -> list[dict[str, Any]]:
    lines = files.read_lines(folder / "trace.jsonl", dict[str, Any])
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]
