"""A results folder as tables, also while it is being written and after files were lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import store
from benchharness.errors import UserError
from benchharness.records import RunRecord
from benchharness.runs.runner import execute
from benchharness.store import Store
from benchharness.store.frame import COLUMNS, EPOCH_COLUMNS
from tests.support.tiny import ON_CPU, Walk, jobs


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """darts and ostr of seed 0 done, darts of seed 1 failed, a supernet and two readings each."""
    suite_store = Store(tmp_path / "results", "mine")
    good, bad = jobs("darts,ostr", (0, 1))
    execute(good, suite_store, ON_CPU, Walk)
    execute(bad, suite_store, ON_CPU, lambda job, device: Walk(job, device, broken=2))
    return tmp_path / "results"


def row(frame: pd.DataFrame, method: str, seed: int) -> "pd.Series[object]":
    return frame[(frame["method"] == method) & (frame["seed"] == seed)].iloc[0]


def test_one_row_a_run(results: Path) -> None:
    frame = store.read(results)
    assert list(frame.columns) == list(COLUMNS)
    assert list(zip(frame["method"], frame["seed"], frame["status"], strict=True)) == [
        ("darts", 0, "done"),
        ("darts", 1, "failed"),
        ("ostr", 0, "done"),
    ]
    done_row = row(frame, "ostr", 0)
    assert done_row["suite"] == "mine"
    assert done_row["supernet"] == row(frame, "darts", 0)["run_id"]
    assert (done_row["trains"], done_row["selection"], done_row["protocol"], done_row["epochs"]) == (
        "darts",
        "strength",
        "cpu",
        3,
    )
    assert done_row["derived_accuracy_pct"] == 40.0
    assert done_row["images_label"] == "CIFAR-10 (random)"
    assert done_row["train_seconds"] == row(frame, "darts", 0)["train_seconds"] == 1.5


def test_measures_say_by_which_statistics(results: Path) -> None:
    frame = store.read(results)
    assert row(frame, "ostr", 0)["measures_bn"] == "batch"
    path = Path(str(row(frame, "ostr", 0)["path"])) / "record.json"
    record = RunRecord.from_json(path.read_text())
    measures = {name.replace("_batch_", "_"): value for name, value in record.measures.items()}
    path.write_text(replace(record, measures=measures).to_json())
    older = row(store.read(results), "ostr", 0)
    assert (older["measures_bn"], older["derived_accuracy_pct"]) == ("running", 40.0)


def test_an_unfinished_run_has_a_row_with_what_is_known(results: Path) -> None:
    failed_row = row(store.read(results), "darts", 1)
    assert pd.isna(failed_row["arch"])  # type: ignore[call-overload]
    assert failed_row["record"] is None
    assert np.isnan(float(str(failed_row["derived_accuracy_pct"])))
    assert failed_row["failure"]["message"] == "diverged"  # type: ignore[index]


@pytest.mark.parametrize("level", ["", "mine", "mine/cifar10", "mine/cifar10/ostr"])
def test_any_level_of_the_folder_can_be_read(results: Path, level: str) -> None:
    assert set(store.read(results / level)["suite"]) == {"mine"}


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results folder"):
        store.read(tmp_path / "none")
    assert list(store.read(tmp_path).columns) == list(COLUMNS)


def test_a_reading_has_its_supernets_trace_and_alphas_and_its_own_scores(results: Path) -> None:
    frame = store.read(results)
    base, reading = (row(frame, method, 0)["path"] for method in ("darts", "ostr"))
    trace = store.trace(reading)  # type: ignore[arg-type]
    assert list(trace.columns) == list(EPOCH_COLUMNS)
    assert trace["valid_accuracy_pct"].tolist() == [10, 20, 30]
    both = [store.arrays(path) for path in (base, reading)]  # type: ignore[arg-type]
    np.testing.assert_array_equal(both[0]["alphas"], both[1]["alphas"])
    assert both[0]["alphas"].shape == (3, 6, 5)
    assert (both[0]["scores"][0, 0], both[1]["scores"][0, 0]) == (len("darts"), len("ostr"))


def test_lost_files_cost_only_what_they_held(results: Path) -> None:
    for name in ("trace.npz", "machine.json", "trace.jsonl"):
        for path in results.rglob(name):
            path.unlink()
    frame = store.read(results)
    assert row(frame, "darts", 0)["status"] == "done"
    path = row(frame, "ostr", 0)["path"]
    assert store.arrays(path) == {}  # type: ignore[arg-type]
    assert store.trace(path).empty  # type: ignore[arg-type]


def test_a_note_that_vanishes_while_it_is_looked_at_is_none(results: Path) -> None:
    """As it does when a failed run is tried again; here it is a link to nothing."""
    (note,) = results.rglob("failure.json")
    note.unlink()
    note.symlink_to("nothing")
    assert row(store.read(results), "darts", 1)["status"] == "stale"


def test_reading_imports_no_torch() -> None:
    import subprocess
    import sys

    modules = "benchharness.store, benchharness.compute.environment, benchharness.analysis.export"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
