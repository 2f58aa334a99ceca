"""What searches cost: seconds of the clock, and of processor cores where they were recorded."""

from pathlib import Path

import pytest

from benchharness import report
from benchharness.io import files
from benchharness.report.blocks import TableBlock, flat
from benchharness.report.sections.costs import costs
from benchharness.store.schemas import Machine
from benchharness.table import Table
from tests.support import report_folder


def cost_table(suite: Path, table: Table) -> TableBlock:
    evidence = report.gather(suite, table)[1][0]
    return next(block for block in flat(costs(evidence)) if isinstance(block, TableBlock))


def rewrite(suite: Path, method: str, **changes: float | str) -> None:
    for path in suite.glob(f"*/{method}/*/machine.json"):
        files.write_json(path, {**(files.read_json(path, Machine) or {}), **changes})


def test_processor_time_stands_beside_the_clocks_where_every_run_has_it(tmp_path: Path, table: Table) -> None:
    suite = report_folder.suite(tmp_path / "demo")
    without = cost_table(suite, table)
    assert "processor" not in without.shown
    assert "processor_seconds" not in without.data
    assert "processor" not in without.note
    seconds = {"train_processor_seconds": 200.0, "selection_processor_seconds": 40.0}
    rewrite(suite, "darts", **seconds)
    rewrite(suite, "random", **seconds, device="NVIDIA H200")
    one = next(suite.glob("*/ostr/*/machine.json"))
    files.write_json(one, {**(files.read_json(one, Machine) or {}), **seconds})
    block = cost_table(suite, table)
    assert dict(zip(block.shown["method"], block.shown["processor"], strict=True)) == {
        "darts": "4.0 min",
        "ostr": "–",  # only one run of three has it
        "random": "–",  # what a host's processor does for a GPU is no cost of the search
    }
    assert block.data["search_seconds"].tolist() == pytest.approx([65.0] * 3)
    assert "processor: of all cores used" in block.note
