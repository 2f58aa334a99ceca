"""How runs end, in a line each."""

import re
from pathlib import Path

import pytest

from benchharness.runs.ending import line
from benchharness.runs.runner import Outcome
from benchharness.space import short
from benchharness.store import Store
from benchharness.table import table_of
from benchharness.table.measurements import tables_of
from tests.support.report_folder import GOOD, add
from tests.support.tiny import jobs


def test_a_run_is_one_line_with_what_the_table_says(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    (job,) = jobs("darts")
    add(tmp_path / "mine", job.base, GOOD)
    outcome, store, tables = Outcome(job.base, "done"), Store(tmp_path, "mine"), tables_of()
    index = table_of(tables, "cifar10").index(GOOD)  # type: ignore[union-attr]
    text = line(outcome, store, tables)
    assert re.fullmatch(rf"darts seed 0  #{index}  test \d\d\.\d\d % \(rank [\d,]+ of [\d,]+\)  1:05", text), text
    assert len(text) <= 80
    text = line(outcome, store, tables, verbose=True)
    assert re.search(rf"  {re.escape(short(GOOD))}  inherited [\d.]+ % \(batch statistics\)$", text)
    assert line(outcome, store, lambda _: None) == f"darts seed 0  #{index}  no table  1:05"


def test_options_are_named_as_they_are_typed(tmp_path: Path) -> None:
    (job,) = jobs("darts+magnitude:none=no")
    text = line(Outcome(job.readouts[0], "failed", "so"), Store(tmp_path, "mine"), None)
    assert text == "darts+magnitude:none=no seed 0  FAILED  so"
