"""Listings that are too long for a screen are printed in the same columns, only quicker."""

from pathlib import Path

import pytest

from benchharness.cli import DONE, console, main
from benchharness.cli.parser import tables_if_installed
from benchharness.report import compose
from benchharness.store import Store
from tests.support.report_folder import ALL_SKIP, GOOD, add, spec
from tests.support.tiny import jobs


def test_the_last_table_is_the_reports_ranking(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    for seed in range(3):
        for method, arch in (("darts", ALL_SKIP), ("snas", GOOD)):
            add(tmp_path / "results" / "s", spec(method, seed), arch)
    console.summary(compose(tmp_path / "results" / "s", tables_if_installed(quiet=True)))
    output = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in output.splitlines()]
    assert rows.index("optimum") < rows.index("snas") < rows.index("a random cell") < rows.index("darts")
    assert "No difference is shown" in output


def test_long_listings_are_those_of_short_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = jobs("darts,ostr", (0, 1)), Store(tmp_path, "mine")
    statuses = store.statuses(spec for job in plan for spec in job.specs)
    console.plan(plan, store, statuses, every_run=True)
    short = capsys.readouterr().out
    monkeypatch.setattr(console, "MANY", 3)
    console.plan(plan, store, statuses, every_run=True)
    assert capsys.readouterr().out.splitlines() == [line.rstrip() for line in short.splitlines()]


@pytest.mark.parametrize("command", [["methods"], ["data", "list"]])
def test_a_narrow_terminal_cuts_nothing_off(
    command: list[str], data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    monkeypatch.setattr(console, "WIDE", 80)
    assert main(command) == DONE
    output = capsys.readouterr().out
    assert "…" not in output
    assert max(map(len, output.splitlines()[1:])) <= 80
    assert "tau_max=10.0 tau_min=1.0" in output or command != ["methods"]
