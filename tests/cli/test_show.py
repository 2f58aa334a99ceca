"""`show`, and --json of what can be listed."""

import json
from pathlib import Path

import pytest

from benchharness import cli
from tests.support.commands import output_of
from tests.support.report_folder import GOOD, add, spec

MISSING = "ab" * 8


@pytest.fixture
def results(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(own_home)
    add(own_home / "results" / "demo", spec("darts", 0, clip=3.0), GOOD)
    failed_run = add(own_home / "results" / "demo", spec("snas", 0), None, failure="loss not finite")
    (failed_run / "failure.json").write_text(
        json.dumps({"type": "Diverged", "message": "loss not finite", "traceback": "Traceback: in line 7 of mine.py\n"})
    )
    return own_home / "results"


def test_a_run_is_shown_with_every_setting_that_held(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = spec("darts", 0, clip=3.0)
    text = output_of(capsys, "show", run.run_id[:8])
    assert "  clip                  3.0  (changed)" in text
    assert "  batch                 64\n" in text
    assert "  last_affine           True\n" in text
    assert f"run id      {run.run_id}" in text
    listing = json.loads(output_of(capsys, "show", run.run_id, "--json"))
    assert listing["changed"] == ["clip", "epochs"]
    assert listing["settings"]["clip"] == 3.0
    assert listing["accuracies"]["test"] is None
    assert listing["failure"] is None


def test_changed_measurements_are_changed_settings_too(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(own_home)
    run = spec("darts", 0, ranking=7)
    add(own_home / "results" / "demo", run, GOOD)
    assert "  ranking               7  (changed)" in output_of(capsys, "show", run.run_id)


def test_a_failed_run_is_shown_with_its_traceback(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = spec("snas", 0)
    text = output_of(capsys, "show", run.run_id)
    assert text.endswith("failed      Diverged: loss not finite\nTraceback: in line 7 of mine.py\n")
    assert f"`benchharness show {run.run_id}` says where" in output_of(capsys, "doctor", "results", code=cli.FAILED)


def test_a_run_that_is_not_there_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", MISSING]) == cli.REFUSED
    assert "no runs under results have an id that begins with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("doctor results", cli.FAILED),
        ("table info digits", cli.DONE),
        ("table verify digits", cli.DONE),
        ("data verify", cli.DONE),
        ("check random", cli.DONE),
    ],
)
def test_what_is_listed_can_be_had_as_json(
    results: Path, line: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    text = output_of(capsys, *line.split(), code=code)
    listing = json.loads(output_of(capsys, *line.split(), "--json", code=code))
    rows = listing["findings"] if isinstance(listing, dict) else listing
    assert text.count("\n") == len(rows) + isinstance(listing, dict)
    assert all(str(value) in text for row in rows for value in row.values() if value not in (None, ""))
