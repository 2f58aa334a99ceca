"""A report's folder is replaced in whole, and never loses what no report wrote."""

import errno
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from benchharness.errors import UserError
from benchharness.plots.style import canvas
from benchharness.report.blocks import Grid, Picture, Report, Section, Text
from benchharness.report.folder import LIST, check_place, foreign
from benchharness.report.render import write_report


def report(text: str = "All done.", rows: int = 1) -> Report:
    data = pd.DataFrame({"text": [text] * rows})
    blocks = [Text(text), Grid("grid", "Grid", data, data), Picture("picture", "Picture", lambda: canvas(2, 2)[0])]
    return Report("suite", text, [Section("Answer", blocks)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """As on a full disk: writing goes on failing from `size` bytes on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_report_replaces_an_earlier_one_in_whole(tmp_path: Path) -> None:
    out = tmp_path / "paper"
    write_report(report("one"), out)
    (out / ".DS_Store").write_text("left by a file manager")
    write_report(Report("suite", "two", [Section("Answer", [Text("two")])]), out)
    assert set(contents(out)) == {"report.md", "report.html", LIST}
    assert "two" in (out / "report.md").read_text()
    assert names_in(tmp_path) == {"paper"}, "nothing is left beside it"


@pytest.mark.parametrize(
    "name", ["notes.txt", "figures/mine.svg", "tables/old.csv", "report.md", "deep/er/x.bin", LIST, ".hidden"]
)
@pytest.mark.parametrize("after", [False, True])
def test_what_no_report_wrote_is_never_lost(tmp_path: Path, name: str, after: bool) -> None:
    """Neither in a folder without a report nor in one that has one; a file that was edited is no report's any more."""
    out = tmp_path / "paper"
    if after:
        write_report(report(), out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("hours of work")
    before = contents(out)
    with pytest.raises(UserError, match=r"report there would lose them: .*name another folder"):
        write_report(report("another"), out)
    assert contents(out) == before
    assert names_in(tmp_path) == {"paper"}


def test_links_and_files_are_not_followed_away(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/data").write_text("x")
    out = tmp_path / "paper"
    write_report(report(), out)
    (out / "link").symlink_to(tmp_path / "elsewhere")
    assert foreign(out) == ["link"]
    with pytest.raises(UserError, match="would lose them: link"):
        write_report(report(), out)
    (out / "link").unlink()
    place = tmp_path / "place"
    place.symlink_to(out)
    write_report(report("through a link"), place)
    assert place.is_symlink()
    assert "through a link" in (out / "report.md").read_text()
    with pytest.raises(UserError, match="is a file; a report takes a folder"):
        write_report(report(), tmp_path / "elsewhere/data")


@pytest.mark.parametrize("size", [0, 100, 4000, 9000])
def test_a_full_disk_leaves_the_report_that_was_there(tmp_path: Path, size: int) -> None:
    out = tmp_path / "paper"
    write_report(report("one"), out)
    before = contents(out)
    with no_file_above(size), pytest.raises(UserError, match=r"no report is written to .*paper, what was there is"):
        write_report(report("two", rows=1000), out)
    assert contents(out) == before
    assert names_in(tmp_path) == {"paper"}


def test_reports_at_once_into_one_folder_leave_a_whole_one(tmp_path: Path) -> None:
    out, errors = tmp_path / "paper", []

    def repeat(text: str) -> None:
        small = Report("suite", text, [Section("Answer", [Text(text)] * (1 + len(text)))])
        try:
            for _ in range(25):
                write_report(small, out)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=("x" * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert foreign(out) == []
    assert set(contents(out)) == {"report.md", "report.html", LIST}
    assert names_in(tmp_path) == {"paper"}


def test_a_place_that_another_report_takes_and_leaves_again_is_tried_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two renamings here another one may have put its report there and be just about to take it away."""
    out, rename, refused = tmp_path / "paper", Path.rename, []

    def refuse_once(source: Path, target: Path) -> Path:
        if target == out and not refused:
            refused.append(source)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(source), None, str(target))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_once)
    write_report(report("two"), out)
    assert refused
    assert "two" in (out / "report.md").read_text()
    assert names_in(tmp_path) == {"paper"}


def test_a_place_that_vanishes_while_it_is_looked_at_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another report may be between its two renamings."""
    monkeypatch.setattr(Path, "exists", lambda *_, **__: True)
    check_place(tmp_path / "paper")


def test_what_a_killed_report_moved_away_and_did_not_write_stays(tmp_path: Path) -> None:
    old = tmp_path / ".report-0123456789ab.old"
    old.mkdir()
    (old / "notes.txt").write_text("hours of work")
    os.utime(old, (0, 0))
    write_report(report(), tmp_path / "paper")
    assert contents(old) == {"notes.txt": b"hours of work"}


def test_a_folder_that_somebody_stands_in_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "paper"
    write_report(report("one"), out)
    monkeypatch.chdir(out)
    place = out.stat().st_ino
    write_report(report("two"), Path())
    assert out.stat().st_ino == place
    assert foreign(out) == []
    assert "two" in Path("report.md").read_text()
    assert names_in(out) == {"figures", "tables", "report.md", "report.html", LIST}


def test_what_killed_reports_left_is_removed_later(tmp_path: Path) -> None:
    for name, age in ((".report-1.new", 7200), (".report-2.old", 7200), (".report-3.new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write_report(report(), tmp_path / "paper")
    assert names_in(tmp_path) == {"paper", ".report-3.new"}


ENVIRONMENTS = {
    "of a notebook": {"MPLBACKEND": "module://nowhere_to_be_found.backend_inline"},
    "without such a backend": {"MPLBACKEND": "nonsense"},
    "a window's": {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
    "other settings": {"MATPLOTLIBRC": "rc"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
}
RC = """text.usetex: True
font.family: serif
figure.constrained_layout.use: False
savefig.bbox: tight
savefig.transparent: True
axes.grid: False
lines.linewidth: 9
image.cmap: jet
path.sketch: 5, 100, 2
svg.fonttype: path
legend.fontsize: 30
axes.prop_cycle: cycler('color', ['red'])
"""
WRITE = """
from pathlib import Path
from benchharness.plots import accuracy, style
from benchharness.report.blocks import Picture, Report, Section, Text
from benchharness.report.render import write
import pandas as pd
scores = pd.DataFrame({"darts": [90.0, 91.0], "a$b_c$": [92.0, 93.0]})
draw = lambda: style.drawn(accuracy.draw, accuracy.data(scores, "± title"))
write(Report("suite", "±", [Section("Answer", [Text("±"), Picture("accuracy", "Accuracy", draw)])]), Path("out"))
"""


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_environment_decides_whether_and_how_a_report_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "rc").write_text(RC)
    (tmp_path / "write.py").write_text(WRITE, encoding="utf-8")
    unset = {"MPLBACKEND", "MATPLOTLIBRC", "PYTHONIOENCODING", "LC_ALL", "PYTHONUTF8"}
    plain = {key: value for key, value in os.environ.items() if key not in unset}
    pythonpath = {"PYTHONPATH": str(Path(__file__).parents[2])}
    for place, extra in (("plain", {}), ("other", ENVIRONMENTS[name])):
        (tmp_path / place).mkdir()
        extra = {key: str(tmp_path / "rc") if value == "rc" else value for key, value in extra.items()}
        command = [sys.executable, tmp_path / "write.py"]
        subprocess.run(command, cwd=tmp_path / place, env=plain | pythonpath | extra, check=True, capture_output=True)
    assert contents(tmp_path / "plain") == contents(tmp_path / "other")
