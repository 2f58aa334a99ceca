"""`query` and `table info | export | verify` on a table of one's own, as typed."""

import json
import re
from pathlib import Path

import pytest

from benchharness import cli, space
from benchharness.io import catalog, ground_truth
from benchharness.table import Table
from benchharness.table.importers import TABLES, native
from benchharness.table.measurements import measured_path
from tests.support.commands import output_of
from tests.support.measured import measured_table

ABSENT = (3, 3, 3, 1, 3, 3)


@pytest.fixture
def pets(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table called pets, installed, with one cell measured besides."""
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    table = measured_table(classes=40, without=[ABSENT])
    table.save(own_home / "pets.npz")
    catalog.install_with(TABLES, "pets", own_home / "pets.npz", native)
    code = int(space.classes()[space.to_code(ABSENT)])
    ground_truth.add_trainings(
        measured_path(own_home / "suite", table), [ground_truth.Training(code, 0, 81.0, 80.0, 9.0)]
    )
    return table


def test_a_query_of_what_was_trained_for_results_says_so(
    pets: Table, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["query", space.to_string(ABSENT), "--dataset", "pets"]
    assert "is not among the" in output_of(capsys, *arguments, code=cli.REFUSED)
    arguments += ["--results", str(own_home / "suite")]
    text = output_of(capsys, *arguments)
    assert "trained besides: no part of the table as it came" in text
    assert f"rank, percentile and regret are among the {len(pets)} of 15,625 architectures" in text
    answer = json.loads(output_of(capsys, *arguments, "--json"))
    assert (answer["measured_here"], answer["architectures"]) == (True, len(pets))
    assert [figure["runs_pct"] for figure in answer["figures"]] == [[81.0], [80.0]]
    benchmark_text = output_of(capsys, "query", space.to_string(tuple(pets.ops[0].tolist())), *arguments[2:])
    assert "trained besides" not in benchmark_text


def test_a_query_of_a_data_set_without_a_table_says_how_to_get_one(pets: Table, capsys) -> None:  # type: ignore[no-untyped-def]
    output = output_of(capsys, "query", "0", "--dataset", "birds", code=cli.REFUSED)
    assert "no table of 'birds'" in output
    assert "`benchharness table build --dataset birds` measures one" in output


def test_info_shows_coverage_spread_noise_and_taus(pets: Table, capsys: pytest.CaptureFixture[str]) -> None:
    text = re.sub(r" +", " ", output_of(capsys, "table", "info", "pets"))
    assert f"coverage {len(pets)} of 15,625 architectures (40 of 6,466 functional classes)" in text
    assert "spread pets test after 7 epochs: 10th, 50th, 90th percentile" in text
    assert "seed noise pets test after 7 epochs: 0." in text
    assert "points between training seeds, over 40 networks trained more than once" in text
    assert "tau pets test after 7 epochs: 0." in text
    assert "recipe batch=64, epochs=7, name=small" in text
    assert "network cells=1, channels=8, classes=10, pixels=12" in text
