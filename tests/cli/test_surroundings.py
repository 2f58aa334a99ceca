"""Pipes that break, ~ where no shell reads it, odd names: what surrounds a command decides nothing that it makes."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import benchharness
from benchharness import methods
from benchharness.cli import main
from benchharness.cli.parser import report_place
from benchharness.config import coerce, protocol
from benchharness.errors import UserError
from benchharness.io.catalog import data_folder
from benchharness.io.files import readable, shortened, slug
from benchharness.io.ground_truth import Training, add_trainings
from benchharness.records import RunSpec
from benchharness.runs import suite
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.space import classes, from_code, from_string, to_code, to_string
from benchharness.store import read
from benchharness.table import Table, install
from benchharness.table.importers import columnar
from benchharness.table.load import load_for
from benchharness.table.measurements import measured_path
from tests.support import report_folder
from tests.support.tiny import SETTINGS

COMMAND = "run --methods random --dataset digits --protocol small --set epochs=1 images=128 --jobs 1 --shard 1/1"


def shell(command: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """A command line whose `bh` is the package's, in the folder `home`."""
    text = f"bh() {{ '{sys.executable}' -m benchharness \"$@\"; }}; {command}"
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(benchharness.__file__).parents[1])}
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, cwd=home, env=env, timeout=200)


@pytest.mark.parametrize("reader", ["head -1", "true", "head -c 20"])
def test_runs_go_on_when_nobody_reads_on(own_home: Path, reader: str) -> None:
    process = shell(f"bh {COMMAND} --seeds 0-2 | {reader}; exit ${{PIPESTATUS[0]}}", own_home)
    assert (process.returncode, process.stderr) == (0, "")
    assert len(list((own_home / "results").rglob("record.json"))) == 3


def test_output_on_a_full_disk_is_told_and_fails_nothing_but_the_exit_code(own_home: Path) -> None:
    process = shell(f"bh {COMMAND} --seeds 0-1 > /dev/full", own_home)
    assert process.returncode == 1
    assert process.stderr == "benchharness: not all of the output could be written: No space left on device\n"
    assert len(list((own_home / "results").rglob("record.json"))) == 2
    assert shell("bh methods > /dev/full", own_home).returncode == 1


@pytest.mark.parametrize("option", ["--out=~/x", "--out '~/x'", "--out=~"])
def test_home_is_home_in_options(own_home: Path, option: str) -> None:
    process = shell(f"bh {COMMAND} --seeds 0 {option}", own_home)
    assert process.returncode == 0, process.stderr
    parent = own_home if option.endswith("~") else own_home / "x"
    assert len(list(parent.rglob("record.json"))) == 1
    assert not (own_home / "~").exists()


def test_home_is_home_in_python(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(own_home))
    monkeypatch.chdir(own_home)
    runs = benchharness.run(
        "random", [0], dataset="digits", protocol="small", changes=SETTINGS, out="~/x", training=False
    )
    assert runs.frame["path"][0].is_relative_to(own_home / "x")
    assert len(benchharness.results("~/x")) == 1
    (own_home / "mine.py").write_text("from benchharness import Method\nclass Mine(Method): ...\n")
    assert main(["run", "--methods=darts,~/mine.py", "--dry-run", "--dataset", "digits"]) == 0
    assert main(["doctor", "~/x"]) == 0
    assert not (own_home / "~").exists()


@pytest.fixture
def one_run(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which one stands, with one finished run in `x`, a table `t.csv` and a method `mine.py`."""
    monkeypatch.chdir(own_home)
    report_folder.add(own_home / "x", report_folder.spec("darts", 0), report_folder.GOOD)
    rows = [f"{to_string(from_code(code))},{50 + code}" for code in range(3)]
    (own_home / "t.csv").write_text("\n".join(["arch,cifar10_test_200", *rows]))
    (own_home / "mine.py").write_text("from benchharness import Method\nclass Mine(Method): ...\n")
    return own_home


@pytest.mark.parametrize(
    ("arguments", "new_path"),
    [
        ("run --methods=~/mine.py,~/mine.py:none=no --dataset=digits --dry-run --out=~/y", ""),
        ("run --methods random --dataset digits --dry-run --suite ~/s.toml --out ~/", ""),
        ("doctor ~/x", ""),
        ("doctor ~/x/", ""),
        ("doctor ~", ""),
        ("export ~/x --out ~/e.csv", "e.csv"),
        ("export --out=~/e.parquet ~/x", "e.parquet"),
        ("merge ~/x --out ~/c", "c"),
        ("show RUN --results ~/x", ""),
        ("show RUN --results=~", ""),
        ("new ~/other.py", "other.py"),
        ("table import ~/t.csv --name t", "d/tables/t.npz"),
        ("data import ~/t.csv", "d/tables/t.npz"),
        ("table export digits --out ~/d.csv", "d.csv"),
        ("query 3122 --dataset digits --results ~/x", ""),
    ],
)
def test_home_is_home_in_every_command(
    one_run: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, new_path: str
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", "~/d")
    (one_run / "s.toml").write_text('seeds = "0"\n')
    run_id = report_folder.spec("darts", 0).run_id
    assert main(arguments.replace("RUN", run_id).split()) == 0
    assert (one_run / new_path).exists()
    assert not (one_run / "~").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "run --methods random --dataset digits --dry-run --out=~nobody-here",
        "run --methods random --dataset digits --dry-run --out ~nobody-here/x",
        "run --methods darts,~nobody-here/mine.py --dataset digits --dry-run",
        "doctor ~nobody-here",
        "report ~nobody-here/results",
        "export ~/x --out=~nobody-here/e.csv",
        "merge ~/x ~nobody-here/y --out ~/c",
        "table import ~nobody-here/t.csv",
        "data import ~nobody-here/t.csv",
        "check ~nobody-here/mine.py",
    ],
)
def test_a_home_of_nobody_is_one_sentence(one_run: Path, arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 2
    message = capsys.readouterr().err
    assert "knows no such user's home" in message
    assert len(message.splitlines()) == 1


def test_home_is_home_in_every_function(one_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = columnar.read_source(one_run / "t.csv")
    table.save("~/t.npz")
    assert Table.open("~/t.npz").about["name"] == "t"
    assert install.import_any("~/t.csv")[0].name == "t"
    assert methods.load("~/mine.py").__name__ == "Mine"
    assert len(benchharness.results("~/x")) == len(benchharness.results("~")) == 1
    assert not (one_run / "~").exists()
    monkeypatch.setenv("BENCHHARNESS_DATA", "~nobody-here")
    calls = (methods.load, Table.open, table.save, benchharness.results, install.import_any)
    for function in (data_folder, *(partial(call, "~nobody-here/x.py") for call in calls)):
        with pytest.raises(UserError, match="knows no such user's home"):
            function()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "9" * 5000, "NaN"])
def test_numbers_that_are_none_are_refused_in_a_short_sentence(value: str) -> None:
    for method in (f"snas:tau_max={value}", f"darts+strength:tuning={value}"):
        with pytest.raises(UserError, match="is not a") as error:
            make_plan(parse_methods(method), [0], "digits", protocol("small"))
        assert len(str(error.value)) < 200
    for kind in (int, float):
        with pytest.raises(UserError, match="is not a"):
            coerce("epochs", value, kind)
    with pytest.raises(UserError, match="is not a whole number"):
        coerce("epochs", "1e16", int)


@pytest.mark.parametrize("name", ["a\0b.py", "\0.py", "~/a\0.py"])
def test_a_nul_in_a_files_name_is_one_sentence(name: str) -> None:
    with pytest.raises(UserError, match="it holds a NUL"):
        make_plan(parse_methods(name), [0], "digits", protocol("small"))
    with pytest.raises(UserError, match="it holds a NUL"):
        benchharness.run("random", [0], dataset="digits", out=name)


@pytest.mark.parametrize("name", ["...toml", "....toml", "..toml"])
def test_a_suite_file_whose_name_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('methods = "darts"\n')
    if not Path(name).stem.strip("."):
        with pytest.raises(UserError, match="cannot name a folder of results"):
            suite.load_suite(tmp_path / name)
    else:
        assert suite.load_suite(tmp_path / name).name.strip(".")


def test_no_suite_is_read_from_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    (tmp_path / "b.toml").symlink_to("/dev/zero")
    (tmp_path / "c.toml").mkdir()
    for name in ("a.toml", "b.toml", "c.toml"):
        with pytest.raises(UserError, match="is no regular file"):
            suite.load_suite(tmp_path / name)


def test_names_fit_into_files_names_and_stay_their_own() -> None:
    for letter in ("a", "é", "漢", "𝒜"):
        long = [letter * 300, letter * 301]
        for names in ([slug(name) for name in long], [shortened(name) for name in long]):
            assert len(set(names)) == 2
            assert all(len(name.encode()) <= 100 for name in names)
    assert len(RunSpec("漢" * 90, "x", "y", "z", 0, {"name": "cpu"}).label.encode()) <= 80
    assert slug("cifar10, protocol cpu (epochs=2)") == "cifar10-protocol-cpu-epochs-2"
    assert len(suite.Suite(settings={"note": "漢" * 200}).name.encode()) <= 100


def test_bytes_that_are_no_text_are_spelt_out(
    tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a method's file, in a suite's folder, and in the folder above."""
    name = os.fsdecode(b"caf\xe9")
    path = tmp_path / f"{name}.py"
    path.write_text(
        "from benchharness import Method\nclass Mine(Method):\n    update = 'none'\n    selection = 'uniform'\n"
    )
    out = tmp_path / name
    runs = benchharness.run(
        str(path), [0], dataset="digits", protocol="small", changes=SETTINGS, out=out, suite="s", training=False
    )
    assert runs.frame["method"].tolist() == ["caf\\xe9"]
    code = int(classes()[to_code(from_string(runs.frame["arch"][0]))])
    add_trainings(measured_path(out / "s", load_for("digits")), [Training(code, 0, 81.25, 80.0, 9.0)])
    (out / "s").rename(out / name)
    assert read(out / name)["suite"].tolist() == ["caf\\xe9"]
    assert main(["doctor", str(out / name)]) == 0
    assert main(["export", str(out / name), "--out", str(tmp_path / "x.csv")]) == 0
    assert "caf\\xe9" in (tmp_path / "x.csv").read_text()
    assert main(["report", str(out / name), "--out", str(tmp_path / "report")]) == 0
    report = (tmp_path / "report" / "report.md").read_text()
    assert report.startswith("# caf")
    assert "81.25" in report, "the ground truth beside the runs is found too"
    assert readable("plain") == "plain"


def test_reports_of_results_side_by_side_and_near_the_root_have_places_of_their_own(tmp_path: Path) -> None:
    report_folders = [report_place(tmp_path / out / "mine", "mine") for out in ("results", "a", "b")]
    assert report_folders == [tmp_path / "reports" / folder for folder in ("mine", "a/mine", "b/mine")]
    assert report_place(Path("/advres"), "advres") == Path("/reports/advres")
    assert report_place(Path("/"), "x") == Path("/reports/x")
