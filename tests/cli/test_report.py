"""The command `report`: which folders it takes, and that any terminal will do."""

import io
import sys
from pathlib import Path

import pytest

from benchharness.cli import main, print_anyway
from benchharness.cli.report import suites
from tests.support import report_folder


def run(suite: Path, seed: int = 0) -> Path:
    return report_folder.add(suite, report_folder.spec("darts", seed), report_folder.GOOD)


def test_a_folder_of_suites_is_a_report_each(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("BENCHHARNESS_DATA", str(tmp_path / "none"))
    for name in ("one", "two"):
        run(tmp_path / "work/results" / name)
    assert main(["report", str(tmp_path / "work/results")]) == 0
    assert {path.name for path in (tmp_path / "work/reports").iterdir()} == {"one", "two"}
    assert not (tmp_path / "reports").exists(), "nothing is written two levels up"
    assert main(["report", str(tmp_path / "work/results"), "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"one", "two"}
    assert main(["report", str(tmp_path / "work/results/two"), "--out", str(tmp_path / "two")]) == 0
    assert (tmp_path / "two/report.html").exists()


@pytest.mark.parametrize("up", range(3))
def test_a_part_of_a_suite_is_refused_with_its_name(tmp_path: Path, up: int, capsys) -> None:  # type: ignore[no-untyped-def]
    part = [path := run(tmp_path / "suite"), *path.parents][up]
    assert main(["report", str(part)]) == 2
    assert f"is a part of the suite '{tmp_path / 'suite'}'" in capsys.readouterr().err


def test_which_folders_are_suites(tmp_path: Path) -> None:
    assert suites(tmp_path) == [tmp_path], "an empty folder is a report that says so"
    run(tmp_path / "b")
    run(tmp_path / "a")
    assert suites(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert suites(tmp_path / "a") == [tmp_path / "a"]


@pytest.mark.parametrize(("encoding", "printed"), [("ascii", "84.8+-2.8 ... ?"), ("latin-1", "84.8±2.8 ... ?")])
def test_what_an_encoding_lacks_is_spelt_out(monkeypatch: pytest.MonkeyPatch, encoding: str, printed: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_anyway()
    print("84.8±2.8 … 京", end="")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == printed  # type: ignore[attr-defined]
