"""The command `report`: which folders it takes, and that any terminal will do."""

import io
import re
import sys
from pathlib import Path

import pytest

from benchharness.cli import main, print_anyway
from benchharness.errors import UserError
from benchharness.store.listing import suites
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


@pytest.mark.parametrize(("formats", "problem"), [("jpg", "unknown format of figures 'jpg'"), ("pdf", "png or svg")])
def test_figures_that_no_page_shows_are_refused(tmp_path: Path, formats: str, problem: str, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["report", str(tmp_path), "--figures", formats]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("up", range(3))
def test_a_part_of_a_suite_is_refused_with_its_name(tmp_path: Path, up: int, capsys) -> None:  # type: ignore[no-untyped-def]
    folder = [path := run(tmp_path / "suite"), *path.parents][up]
    assert main(["report", str(folder)]) == 2
    assert f"is a part of the suite '{tmp_path / 'suite'}'" in capsys.readouterr().err


def test_which_folders_are_suites(tmp_path: Path) -> None:
    assert suites(tmp_path) == [tmp_path], "an empty folder is refused by name"
    run(tmp_path / "b")
    run(tmp_path / "a")
    assert suites(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert suites(tmp_path / "a") == [tmp_path / "a"]


FOLDERS: dict[str, tuple[list[str], str, list[str]]] = {
    "one suite": (["r/one"], "r", ["r/one"]),
    "a slash behind": (["r/one", "r/two"], "r/", ["r/one", "r/two"]),
    "where one is": (["one", "two"], ".", ["one", "two"]),
    "the folder above": (["r/one", "r/two"], "r/one/..", ["r/one/../one", "r/one/../two"]),
    "results in a folder": (["w/results/one"], "w", ["w/results/one"]),
    "results in two folders": (["w/a/one", "w/b/one"], "w", ["w/a/one", "w/b/one"]),
    "at several depths": (["w/one", "w/old/two", "w/old/er/three"], "w", ["w/old/er/three", "w/old/two", "w/one"]),
    "a suite in a suite": (["r/one", "r/one/old"], "r", ["r/one"]),
    "a suite that holds an old one": (["one", "one/old"], "one", ["one"]),
    "loose files": (["r/one", "r/notes.txt", "r/empty/"], "r", ["r/one"]),
    "ground truth beside": (["r/one", "r/one/ground-truth/x.jsonl", "r/two/ground-truth/y.jsonl"], "r", ["r/one"]),
    "a link to a suite": (["far/one", "r/link -> far/one"], "r", ["r/link"]),
    "a link as the suite": (["far/one", "r/link -> far/one"], "r/link", ["r/link"]),
    "another program's file": (["r/one", "r/a/b/c/d/spec.json"], "r", ["r/one"]),
    "nothing": ([], "r", ["r"]),
    "a file": (["r"], "r", ["r"]),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_suites_are_seen_in_folders_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    entries, start, expected = FOLDERS[kind]
    monkeypatch.chdir(tmp_path)
    for entry in entries:
        location, _, target = entry.partition(" -> ")
        path = tmp_path / location
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(tmp_path / target)
        elif entry.endswith("/"):
            path.mkdir()
        elif path.suffix or kind == "a file":
            path.write_text("{}\n")
        else:
            run(path)
    assert suites(Path(start)) == [Path(suite) for suite in expected]


def test_suites_of_one_name_have_places_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/one", "b/one"):
        run(tmp_path / name)
    report_folders: list[object] = []
    monkeypatch.setattr(
        "benchharness.cli.report.build_report", lambda folder, out, tables, **_: report_folders.append(out)
    )
    monkeypatch.setattr("benchharness.cli.report.tables_if_installed", lambda folder: None)
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert report_folders == [str(tmp_path / "out/a/one"), str(tmp_path / "out/b/one")]


@pytest.mark.parametrize("up", range(3))
@pytest.mark.parametrize("spelling", ["where one is", "a link"])
def test_a_part_is_known_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, up: int, spelling: str
) -> None:
    folder = [path := run(tmp_path / "suite"), *path.parents][up]
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=re.escape(f"is a part of the suite '{tmp_path / 'suite'}'")):
        suites(Path() if spelling == "where one is" else tmp_path / "link")


@pytest.mark.parametrize(("encoding", "encoded_text"), [("ascii", "84.8+-2.8 ... ?"), ("latin-1", "84.8±2.8 ... ?")])
def test_what_an_encoding_lacks_is_spelt_out(monkeypatch: pytest.MonkeyPatch, encoding: str, encoded_text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_anyway()
    print("84.8±2.8 … 京", end="")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == encoded_text  # type: ignore[attr-defined]
