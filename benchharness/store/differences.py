"""Lists the differences between two executions of one run, apart from machine and time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchharness.io import files
from benchharness.store.frame import arrays
from benchharness.store.run_folder import TIMES


def differences(first: Path, second: Path) -> Iterator[str]:
    """A sentence for every difference between record, arrays and trace of the runs in `first` and `second`."""
    record, second_record = (files.read_json(path / "record.json", dict[str, Any]) or {} for path in (first, second))
    for key in sorted((record | second_record).keys() - {"package_sha256", "files", "sha256"}):
        if record.get(key) != second_record.get(key):
            yield f"{key}: {record.get(key)} then, {second_record.get(key)} now"
    before, after = arrays(first), arrays(second)
    for name in sorted(before | after):
        if name not in before or name not in after:
            yield f"{name}: in {'the first' if name in before else 'the second'} only"
        elif not np.array_equal(before[name], after[name], equal_nan=before[name].dtype.kind == "f"):
            yield f"{name}: {_distance(before[name], after[name])}"
    if _lines(first) != _lines(second):
        yield "trace.jsonl: losses or accuracies differ"


def _distance(array: np.ndarray, second_array: np.ndarray) -> str:
    if array.shape != second_array.shape:
        return f"shape {array.shape} then, {second_array.shape} now"
    return f"differs by up to {np.nanmax(np.abs(array.astype(float) - second_array.astype(float))):.3g}"


def _lines(folder: Path) -> list[dict[str, Any]]:
    lines = files.read_lines(folder / "trace.jsonl", dict[str, Any])
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]
