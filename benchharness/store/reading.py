"""A results folder as tables: one row a run, one row an epoch. Reads only, and never waits for a runner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchharness.errors import UserError
from benchharness.records import SCHEMA, RunRecord, RunSpec, Status
from benchharness.store import files
from benchharness.store.run import read_record, read_spec, status

MEASURES: Final = ("mixed_accuracy_pct", "derived_accuracy_pct", "mixed_loss", "derived_loss")
COSTS: Final = ("train_seconds", "selection_seconds", "peak_memory_bytes")
COLUMNS: Final = (
    *("suite", "dataset", "method", "trains", "selection", "seed", "run_id", "status", "arch", "supernet"),
    *("protocol", "epochs", "images_label", "split", *MEASURES, *COSTS, "device"),
    *("spec", "record", "machine", "failure", "path"),
)
EPOCH_COLUMNS: Final = (
    *("epoch", "train_loss", "train_accuracy_pct", "valid_loss", "valid_accuracy_pct"),
    *("learning_rate", "entropy", "seconds", "peak_memory_bytes", "arch"),
)


def read(folder: Path) -> pd.DataFrame:
    """Every run under `folder`, finished or not, one row each with the columns `COLUMNS`, in the order of the paths.

    Accuracies are in percent; what a run has not got yet is None or NaN. Raises `UserError` where there is no such
    folder, or where a run in it was written by another version.
    """
    if not Path(folder).is_dir():
        raise UserError(f"no results folder {str(folder)!r}; `benchharness run` makes one")
    here, there = Path(folder), Path(folder).resolve()
    rows = [_row(path, spec, (there / path.relative_to(here)).parents[2].name) for path, spec in _runs(here)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def results(folder: str | Path = "results") -> pd.DataFrame:
    """Every run under `folder` as a table, one row a run: see `read`."""
    return read(Path(folder))


def trace(path: Path) -> pd.DataFrame:
    """The epochs of the run in folder `path`, one row each with the columns `EPOCH_COLUMNS`.

    A run that was read out of another one's supernet has that one's trace.
    """
    return pd.DataFrame(files.read_lines(_trained(path) / "trace.jsonl"), columns=list(EPOCH_COLUMNS))


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the run in folder `path`: `alphas` and `expected` (epochs, edges, ops), `scores` (edges, ops)."""
    supernet = files.read_arrays(_trained(path) / "trace.npz")
    if _trained(path) != path:
        supernet.pop("scores", None)
    return {**supernet, **files.read_arrays(path / "trace.npz")}


def _trained(path: Path) -> Path:
    """The folder of the run whose supernet the run in `path` was read out of; often `path` itself."""
    record = read_record(path)
    if record is None or record.supernet == record.run_id:
        return path
    return next(iter(path.parents[1].glob(f"*/seed-*-{record.supernet}")), path)


def _runs(folder: Path) -> Iterator[tuple[Path, RunSpec]]:
    for file in sorted(folder.rglob("spec.json")):
        spec = read_spec(file.parent)
        if spec is not None:
            yield file.parent, spec


def _row(path: Path, spec: RunSpec, suite: str) -> dict[str, Any]:
    record = read_record(path)
    machine = files.read_json(path / "machine.json")
    return {
        **{name: getattr(spec, name) for name in ("dataset", "method", "trains", "selection", "seed", "run_id")},
        **_found(path, spec, record),
        **{name: (machine or {}).get(name, np.nan) for name in COSTS},
        "suite": suite,
        "status": str(Status.DONE if record else status(path)),
        "protocol": spec.protocol.get("name"),
        "epochs": spec.protocol.get("epochs"),
        "device": (machine or {}).get("device"),
        "spec": {"schema": SCHEMA, **vars(spec)},
        "record": {"schema": SCHEMA, **vars(record)} if record else None,
        "machine": machine,
        "failure": files.read_json(path / "failure.json"),
        "path": path,
    }


def _found(path: Path, spec: RunSpec, record: RunRecord | None) -> dict[str, Any]:
    if record is None:
        trains_itself = (path / "trace.jsonl").exists()
        unknown = dict.fromkeys(MEASURES, np.nan)
        return {**unknown, "arch": None, "supernet": spec.run_id if trains_itself else None}
    data = {"images_label": record.data.get("label"), "split": record.data.get("split")}
    return {
        **{name: record.measures.get(name, np.nan) for name in MEASURES},
        **data,
        "arch": record.arch,
        "supernet": record.supernet,
    }
