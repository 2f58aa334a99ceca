"""A report's folder is replaced in whole, and never loses what no report wrote."""

import errno
import os
import resource
import shutil
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
from benchharness.report import folder
from benchharness.report.blocks import FigureBlock, Report, Section, TableBlock, Text
from benchharness.report.folder import LIST, check_place, foreign
from benchharness.report.render import write_report


def report(text: str = "All done.", rows: int = 1) -> Report:
    data = pd.DataFrame({"text": [text] * rows})
    blocks = [
        Text(text),
        TableBlock("grid", "Grid", data, data),
        FigureBlock("picture", "Picture", lambda: canvas(2, 2)[0]),
    ]
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


def test_a_report_without_a_table_leaves_one_with_accuracies(tmp_path: Path) -> None:
    """As where `report` is given in a clone, which has reports but no table."""
    out, data = tmp_path / "paper", pd.DataFrame({"method": ["darts"]})
    ranked = Report("suite", "one", [Section("Answer", [TableBlock("ranking-birds", "Ranking", data, data)])])
    write_report(ranked, out)
    before = contents(out)
    with pytest.raises(UserError, match=r"paper' has the accuracies of cells, .*installs a table, or name another"):
        write_report(report()._replace(lacks_table=True), out)
    assert contents(out) == before
    assert names_in(tmp_path) == {"paper"}
    write_report(ranked, out)
    write_report(report(), out)  # of runs that have not finished yet


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
    with pytest.raises(UserError, match=r"report there would delete them: .*name another folder"):
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
    with pytest.raises(UserError, match="would delete them: link"):
        write_report(report(), out)
    (out / "link").unlink()
    folder = tmp_path / "place"
    folder.symlink_to(out)
    write_report(report("through a link"), folder)
    assert folder.is_symlink()
    assert "through a link" in (out / "report.md").read_text()
    with pytest.raises(UserError, match="is a file, not a folder"):
        write_report(report(), tmp_path / "elsewhere/data")


@pytest.mark.parametrize("size", [0, 100, 4000, 9000])
def test_a_full_disk_leaves_the_report_that_was_there(tmp_path: Path, size: int) -> None:
    out = tmp_path / "paper"
    write_report(report("one"), out)
    before = contents(out)
    with (
        no_file_above(size),
        pytest.raises(UserError, match=r"the report could not be written to .*paper, and files there are"),
    ):
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


def test_a_report_that_comes_and_goes_while_a_folder_is_looked_at_is_nobodys_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is then the same before and after, and belongs to neither of the files looked at in between."""
    out, digest = tmp_path / "paper", folder._digest
    first, another = (Report("suite", text, []) for text in ("first", "another"))

    def swap_around(path: Path) -> str:
        monkeypatch.setattr(folder, "_digest", digest)
        write_report(another, out)
        between = digest(path)
        write_report(first, out)
        return between

    write_report(first, out)
    monkeypatch.setattr(folder, "_digest", swap_around)
    assert foreign(out) == []


def test_nothing_is_lost_where_a_report_comes_and_goes_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, files = tmp_path / "paper", folder._files

    def seen_in_between(parent: Path) -> Iterator[tuple[str, Path]]:
        monkeypatch.setattr(folder, "_files", files)
        write_report(Report("suite", "first", []), out)
        yield from list(files(parent))
        shutil.rmtree(out)

    monkeypatch.setattr(folder, "_files", seen_in_between)
    assert foreign(out) == []


def test_a_place_that_another_report_takes_and_leaves_again_is_tried_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two renamings here another one may have put its report there and be just about to take it away."""
    out, rename, refusals = tmp_path / "paper", Path.rename, []

    def refuse_once(source: Path, target: Path) -> Path:
        if target == out and not refusals:
            refusals.append(source)
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(source), None, str(target))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_once)
    write_report(report("two"), out)
    assert refusals
    assert "two" in (out / "report.md").read_text()
    assert names_in(tmp_path) == {"paper"}


def test_a_place_that_vanishes_while_it_is_looked_at_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another report may be between its two renamings."""
    monkeypatch.setattr(Path, "exists", lambda *_, **__: True)
    check_place(tmp_path / "paper")


def test_what_a_killed_report_moved_away_and_did_not_write_stays(tmp_path: Path) -> None:
    moved_report = tmp_path / ".report-0123456789ab.old"
    moved_report.mkdir()
    (moved_report / "notes.txt").write_text("hours of work")
    os.utime(moved_report, (0, 0))
    write_report(report(), tmp_path / "paper")
    assert contents(moved_report) == {"notes.txt": b"hours of work"}


def test_a_folder_that_somebody_stands_in_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "paper"
    write_report(report("one"), out)
    monkeypatch.chdir(out)
    inode = out.stat().st_ino
    write_report(report("two"), Path())
    assert out.stat().st_ino == inode
    assert foreign(out) == []
    assert "two" in Path("report.md").read_text()
    assert names_in(out) == {"figures", "tables", "report.md", "report.html", LIST}


def test_what_killed_reports_left_is_removed_later(tmp_path: Path) -> None:
    for name, age in ((".report-1.new", 7200), (".report-2.old", 7200), (".report-3.new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write_report(report(), tmp_path / "paper")
    assert names_in(tmp_path) == {"paper", ".report-3.new"}


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "of a notebook": {"MPLBACKEND": "module://nowhere_to_be_found.backend_inline"},
    "without such a backend": {"MPLBACKEND": "nonsense"},
    "a window's": {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
    "other settings": {"MATPLOTLIBRC": "rc"},
    "settings that hide": {"MATPLOTLIBRC": "hiding"},
    "settings that are none": {"MATPLOTLIBRC": "none"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "another terminal": {
        "PYTHONIOENCODING": "utf-16",
        "COLUMNS": "wide",
        "LINES": "0",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "FORCE_COLOR": "1",
    },
    "another time": {"TZ": "Pacific/Kiritimati", "SOURCE_DATE_EPOCH": "0"},
    "another Python": {"PYTHONHASHSEED": "7", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "latin-1:strict"},
    "no folders of one's own": {
        **dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), "/proc/nowhere"),
        "TMPDIR": "/nowhere",
        "PATH": "",
    },
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
HIDING = """font.size: 40
axes.titlesize: 2
axes.spines.left: False
axes.spines.bottom: False
xtick.bottom: False
ytick.left: False
text.color: white
savefig.facecolor: red
savefig.pad_inches: 3
savefig.format: ps
svg.hashsalt: mine
path.simplify: False
axes.formatter.use_locale: True
"""
NONE = """this is no setting
[section]
backend: nonsense
axes.grid: perhaps
lines.linewidth: 3
lines.linewidth: 4
no.such: 4
"""
WRITE = """
from pathlib import Path
from benchharness.plots import accuracy, style
from benchharness.report.blocks import FigureBlock, Report, Section, TableBlock, Text
from benchharness.report.render import write_report
import pandas as pd
scores = pd.DataFrame({"darts": [90.0, 91.0], "a$b_c$": [92.0, 93.0]})
draw = lambda: style.figure_of(accuracy.draw, accuracy.data(scores, "± title"))
data = pd.DataFrame({"method": ["darts", "±"], "figure": [1 / 3, 1e-9], "of": [None, 123456789.123456789]})
blocks = [Text("±"), TableBlock("grid", "Grid", data, data), FigureBlock("accuracy", "Accuracy", draw)]
write_report(Report("suite", "±", [Section("Answer", blocks)]), Path("out"))
"""
CHANGED = {name for environment in ENVIRONMENTS.values() for name in environment} - {"PATH", "HOME"}


def write_in_process(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a process says that writes a report to `place`/out in that environment."""
    for name, text in (("rc", RC), ("hiding", HIDING), ("none", NONE)):
        (folder / name).write_text(text)
    (folder / "latin").write_bytes("font.family: Café\n".encode("latin-1"))
    (folder / "write.py").write_text(WRITE, encoding="utf-8")
    variables = {key: value for key, value in os.environ.items() if key not in CHANGED}
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    if "MATPLOTLIBRC" in environment:
        paths["MATPLOTLIBRC"] = str(folder / environment["MATPLOTLIBRC"])
    command = [sys.executable, str(folder / "write.py")]
    return subprocess.run(command, cwd=folder, env=variables | environment | paths, capture_output=True, text=True)


@pytest.fixture(scope="module")
def plainly(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The report as it is where the environment says nothing."""
    folder = tmp_path_factory.mktemp("plain")
    process = write_in_process(folder, {})
    assert process.returncode == 0, process.stderr
    return contents(folder / "out")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_environment_decides_whether_and_how_a_report_is_written(
    tmp_path: Path, plainly: dict[str, bytes], name: str
) -> None:
    process = write_in_process(tmp_path, ENVIRONMENTS[name])
    assert process.returncode == 0, process.stderr
    assert contents(tmp_path / "out") == plainly


def test_settings_that_matplotlib_cannot_even_read_are_one_sentence(tmp_path: Path) -> None:
    process = write_in_process(tmp_path, {"MATPLOTLIBRC": "latin"})
    assert process.stderr.splitlines()[-1].startswith("benchharness.errors.UserError: matplotlib cannot be loaded")
    assert "save that file as UTF-8, or name another in MATPLOTLIBRC" in process.stderr


OPTIONS: dict[str, object] = {
    "display.precision": 1,
    "display.float_format": "{:.0f}".format,
    "display.max_rows": 1,
    "display.max_columns": 1,
    "display.max_colwidth": 3,
    "display.width": 5,
    "mode.string_storage": "python",
    "styler.format.precision": 0,
    "plotting.backend": "matplotlib",
    "styler.format.decimal": ",",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_no_option_of_pandas_decides_on_a_report(tmp_path: Path, name: str) -> None:
    def write(name: str) -> dict[str, bytes]:
        data = pd.DataFrame({"method": ["darts", "a long name"] * 40, "of": [1 / 3, 123456789.125] * 40})
        write_report(
            Report("suite", "±", [Section("Answer", [TableBlock("grid", "Grid", data, data)])]), tmp_path / name
        )
        return contents(tmp_path / name)

    before = write("plain")
    with pd.option_context(name, OPTIONS[name]):
        assert write("other") == before
