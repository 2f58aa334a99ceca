"""Reads a results folder into data frames: one row per run, or per epoch. Never waits for a runner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from benchharness.io import files
from benchharness.records import SCHEMA, RunRecord, RunSpec, Status, named_apart
from benchharness.store import parallel_read
from benchharness.store.listing import misplaced, run_folders
from benchharness.store.run_folder import read_arrays, read_record, read_spec, status, supernet_folder
from benchharness.store.schemas import Failure, Line, Machine

MEASURES: Final = ("mixed_accuracy_pct", "derived_accuracy_pct", "mixed_loss", "derived_loss")
COSTS: Final = (
    *("train_seconds", "selection_seconds", "train_processor_seconds", "selection_processor_seconds"),
    "peak_memory_bytes",
)
COLUMNS: Final = (
    *("suite", "dataset", "method", "trains", "selection", "seed", "run_id", "status", "arch", "supernet"),
    *("protocol", "epochs", "images_label", "images_sha256", "split", *MEASURES, "measures_bn", *COSTS, "device"),
    *("spec", "record", "machine", "failure", "path"),
)
EPOCH_COLUMNS: Final = (
    *("epoch", "train_loss", "train_accuracy_pct", "valid_loss", "valid_accuracy_pct"),
    *("learning_rate", "entropy", "seconds", "peak_memory_bytes", "arch"),
)


class _Parsed(NamedTuple):
    """The parsed files of one run."""

    run_id: str
    """The spec's run id; stored here because computing it is slow."""
    spec: RunSpec
    record: RunRecord | None
    machine: Machine | None
    failure: Failure | None


def read(folder: Path) -> pd.DataFrame:
    """Every run under `folder`, finished or not, one row each with the columns `COLUMNS`, in the order of the paths.

    Accuracies are in percent; values that a run lacks so far are None or NaN. If method files of one name have
    different contents, `method` is `name@abcdef` with the start of the content's SHA-256. Copies of runs do not count:
    see `store.listing`. Raises `UserError` if there is no such folder, or if another version wrote a run in it.
    """
    folder = files.path_of(folder)
    files.check_results(folder)
    path_parts = ("", "", "", *folder.resolve().parts)
    parsed_runs = list(_parsed(folder))
    rows = [_row(folder / run, parsed, [*path_parts, *filter(None, run.split("/"))][-4]) for run, parsed in parsed_runs]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(method=named_apart([parsed.spec for _, parsed in parsed_runs]))


def results(folder: str | Path = "results") -> pd.DataFrame:
    """Every run under `folder` as a data frame, one row per run: see `read`."""
    return read(Path(folder))


def trace(path: Path) -> pd.DataFrame:
    """The epochs of the run in folder `path`, one row each with the columns `EPOCH_COLUMNS`.

    A run that shares another run's supernet has that run's trace.
    """
    return pd.DataFrame(lines(path), columns=list(EPOCH_COLUMNS))


def lines(path: Path) -> list[Line]:
    """The epochs of the run in folder `path`, one dictionary each; faster than `trace` for thousands of runs."""
    return _lines(path, is_supernet=False)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the run in folder `path`: `alphas` and `expected` (epochs, edges, ops), `scores` (edges, ops)."""
    own_arrays, supernet_arrays = read_arrays(path), _trained(path)
    return own_arrays if supernet_arrays == path else _read_out(read_arrays(supernet_arrays), own_arrays)


def lines_of(frame: pd.DataFrame) -> list[list[Line]]:
    """`lines` of every run of `frame`, in its order."""
    is_supernet = (frame["supernet"] == frame["run_id"]).tolist()
    return parallel_read.each(lambda run: _lines(*run), list(zip(frame["path"], is_supernet, strict=True)))


def arrays_of(frame: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """`arrays` of every run of `frame`, by run id; a supernet that several runs share is read once."""
    paths = dict(zip(frame["run_id"], frame["path"], strict=True))
    run_arrays = parallel_read.each(read_arrays, list(paths.values()))
    arrays_by_path = dict(zip(paths, run_arrays, strict=True))
    supernets = dict(zip(frame["run_id"], frame["supernet"], strict=True))
    return {
        run_id: run_arrays
        if supernets[run_id] == run_id
        else _read_out(arrays_by_path[supernets[run_id]], run_arrays)
        if supernets[run_id] in arrays_by_path
        else arrays(paths[run_id])
        for run_id, run_arrays in arrays_by_path.items()
    }


def _lines(path: Path, is_supernet: bool) -> list[Line]:
    """The trace of the run in folder `path`; `is_supernet` says whether it trained its own supernet."""
    return files.read_lines((path if is_supernet else _trained(path)) / "trace.jsonl", Line)


def _read_out(supernet: dict[str, np.ndarray], own_arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A run's own arrays and those of its supernet, without the scores of the run that trained it."""
    return {**{name: values for name, values in supernet.items() if name != "scores"}, **own_arrays}


def _trained(path: Path) -> Path:
    """The folder of the run that trained the supernet of the run in `path`; often `path` itself."""
    record = read_record(path)
    return path if record is None else supernet_folder(path, record) or path


def _parsed(folder: Path) -> Iterator[tuple[str, _Parsed]]:
    """Every run under `folder` that counts, with its path relative to `folder`."""
    run_paths = run_folders(folder)
    files_of_runs = parallel_read.each(_files_of, [folder / run_path for run_path in run_paths])
    runs = {run_path: run for run_path, run in zip(run_paths, files_of_runs, strict=True) if run is not None}
    reasons = misplaced(folder, {run_path: (run.run_id, run.spec) for run_path, run in runs.items()})
    return ((run_path, run) for run_path, run in runs.items() if run_path not in reasons)


def _files_of(path: Path) -> _Parsed | None:
    """The parsed run in folder `path`; None without a readable spec."""
    spec = read_spec(path)
    if spec is None:
        return None
    machine = files.read_json(path / "machine.json", Machine)
    failure = files.read_json(path / "failure.json", Failure)
    return _Parsed(spec.run_id, spec, read_record(path), machine, failure)


def _row(path: Path, run_files: _Parsed, suite: str) -> dict[str, Any]:
    run_id, spec, record, machine, failure = run_files
    return {
        **{name: getattr(spec, name) for name in ("dataset", "method", "trains", "selection", "seed")},
        **_result_columns(path, spec, run_id, record),
        "run_id": run_id,
        **{name: (machine or {}).get(name, np.nan) for name in COSTS},
        "suite": files.readable(suite),
        "status": str(Status.DONE if record else status(path)),
        "protocol": spec.protocol.get("name"),
        "epochs": spec.protocol.get("epochs"),
        "device": (machine or {}).get("device"),
        "spec": {"schema": SCHEMA, **vars(spec)},
        "record": {"schema": SCHEMA, **vars(record)} if record else None,
        "machine": machine,
        "failure": failure,
        "path": path,
    }


def _result_columns(path: Path, spec: RunSpec, run_id: str, record: RunRecord | None) -> dict[str, Any]:
    if record is None:
        trains_itself = (path / "trace.jsonl").exists()
        unknown = dict.fromkeys(MEASURES, np.nan)
        return {**unknown, "arch": None, "supernet": run_id if trains_itself else None}
    data = {"images_label": record.data.get("label"), "images_sha256": record.data.get("sha256")}
    return {
        **_measured(spec, record),
        **data,
        "split": record.data.get("split"),
        "arch": record.arch,
        "supernet": record.supernet,
    }


def _measured(spec: RunSpec, record: RunRecord) -> dict[str, Any]:
    """The `MEASURES`, and which batch-normalisation statistics they were measured with; old records do not say."""
    later = any("_batch_" in name for name in record.measures)
    keys = {name: name.replace("_", "_batch_", 1) if later else name for name in MEASURES}
    values = {name: record.measures.get(key, np.nan) for name, key in keys.items()}
    return {**values, "measures_bn": "batch" if later else spec.protocol.get("bn_eval")}
