"""`table build`, `table check`, and cells that a measured table lacks, from the command line."""

import re
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchharness import cli
from benchharness.config import recipe
from benchharness.runs.suite import parse_settings
from benchharness.table import load_for
from benchharness.training.journal import recipe_of

TINY = ["--set", "epochs=1", "images=128", "measured=50", "channels=2"]
BUILD = ["table", "build", "--dataset", "digits", "--jobs", "1", *TINY]
SEARCH = ["--set", "epochs=1", "images=64", "batch=16", "channels=2", "eval_batch=16", "ranking=4"]


@pytest.fixture
def work(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home that is also the working directory."""
    monkeypatch.chdir(own_home)
    return own_home


def test_a_table_is_built_then_looked_up_in_and_grown(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*BUILD, "--sample", "2", "--seeds", "2"]) == cli.DONE
    output = capsys.readouterr().out
    assert "2 functional classes x 2 seeds on Digits in clutter: 4 trainings to make" in output
    assert "trained  4/4" in output
    first = load_for("digits")
    assert first.about["classes_trained"] == 2
    assert recipe_of(first) == recipe("digits", parse_settings(TINY[1:]))

    assert cli.main([*BUILD, "--sample", "3", "--seeds", "2"]) == cli.DONE
    assert "2 trainings to make" in capsys.readouterr().out
    assert len(load_for("digits")) > len(first)

    run = ["run", "--methods", "random", "--seeds", "0-1", "--dataset", "digits", "--jobs", "1", *SEARCH]
    assert cli.main(run) == cli.DONE
    streams = capsys.readouterr()
    assert re.search(r"once each: up to 2 trainings of about \d+ s of one core, \d+:\d\d with 1 at a time", streams.out)
    assert "are not in table 'digits': training them once each, 2 trainings to make" in streams.out
    assert "no table" not in streams.out
    report = next((work / "reports").rglob("report.md")).read_text()
    assert "trained besides" in report
    assert cli.main(run) == cli.DONE
    assert "training them" not in capsys.readouterr().out


def exported(work: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[float], str]:
    assert cli.main(["export", "results", "--out", "all.csv"]) == cli.DONE
    return pd.read_csv(work / "all.csv")["test"].tolist(), capsys.readouterr().err


def test_figures_trained_for_results_travel_with_them(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another home and data folder, which have the same table, report the same."""
    assert cli.main([*BUILD, "--sample", "2", "--seeds", "2", "--out", "digits.npz"]) == cli.DONE
    assert cli.main(["table", "import", "digits.npz"]) == cli.DONE
    run = ["run", "--methods", "random", "--seeds", "0-1", "--dataset", "digits", "--jobs", "1", *SEARCH]
    assert cli.main([*run, "--no-training"]) == cli.DONE
    output = capsys.readouterr().out
    assert "trainings of about" not in output
    assert "training them" not in output
    tests, message = exported(work, capsys)
    assert np.isnan(tests).all()
    sentence = "2 of 2 derived cells on digits have no accuracy: table 'digits' lacks them"
    assert f"{sentence}; the command that made the runs, given again without --no-training, trains them" in message
    report = next((work / "reports").rglob("report.md"))
    assert "None of the derived cells is in the installed table" in report.read_text()
    assert cli.main(["run", *run[1:], "--dry-run"]) == cli.DONE
    assert "up to 2 trainings" in capsys.readouterr().out

    assert cli.main(run) == cli.DONE
    tests, message = exported(work, capsys)
    assert np.isfinite(tests).all()
    assert "no accuracy" not in message
    assert "with 1 training seed where the table has 2: no part of the table as it came" in appendix(report)
    files = {path.name: path.read_bytes() for path in report.parent.rglob("*.md")}

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(work / "elsewhere"))
    monkeypatch.setenv("BENCHHARNESS_DATA", str(work / "elsewhere" / "data"))
    assert cli.main(["table", "import", "digits.npz"]) == cli.DONE
    suite = next((work / "results").iterdir())
    assert cli.main(["report", str(suite), "--out", "again"]) == cli.DONE
    assert {path.name: path.read_bytes() for path in (work / "again").rglob("*.md")} == files
    assert exported(work, capsys)[0] == tests


def appendix(report: Path) -> str:
    return "".join(path.read_text() for path in report.parent.rglob("*.md"))


def test_images_of_ones_own_are_trained_by_the_small_recipe(work: Path) -> None:
    for name, level in (("black", 0), ("white", 255)):
        for index in range(40):
            (folder := work / "photos" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), level).save(folder / f"{index}.png")
    assert cli.main(["data", "import", "photos", "--name", "mine", "--size", "8"]) == cli.DONE
    assert cli.main(["table", "build", "--dataset", "mine", "--sample", "1", "--seeds", "1", "--jobs", "1"]) == cli.DONE
    assert recipe_of(load_for("mine")) == recipe("small")


def test_a_table_goes_where_it_is_asked_to(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*BUILD, "--sample", "1", "--seeds", "1", "--out", "here.npz"]) == cli.DONE
    assert "architectures in here.npz" in capsys.readouterr().out
    assert not (work / "xdg_data_home").exists()


def test_a_table_is_checked_against_itself(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*BUILD, "--sample", "2", "--seeds", "1"]) == cli.DONE
    capsys.readouterr()
    assert cli.main(["table", "check", "--dataset", "digits", "--sample", "1", "--jobs", "1"]) == cli.DONE
    output = capsys.readouterr().out
    assert "0 trainings to make" in output or "1 trainings to make" in output
    assert "difference" in output
    assert "+0.00" in output, "the same code on the same machine gives the same figure"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["build", "--dataset", "digits", "--sample", "7000"], "sample=7000"),
        (["build", "--dataset", "digits", "--seeds", "0"], "seeds=0"),
        (["build", "--dataset", "digit"], "did you mean 'digits'"),
        (["build", "--dataset", "digits", "--recipe", "smal"], "did you mean 'small'"),
        (["build", "--dataset", "digits", "--set", "epoch=3"], "did you mean 'epochs'"),
        (["build", "--dataset", "digits", "--device", "cuda:9"], "is not there"),
        (["build", "--dataset", "digits", "--jobs", "0"], "jobs=0"),
        (["build", "--sample", "3"], "--dataset"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    work: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["table", *arguments]) == cli.REFUSED
    assert sentence in capsys.readouterr().err


def test_an_interruption_keeps_what_is_trained(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchharness.training import journal

    train, calls = journal._train, iter(range(9))

    def interrupted(task: journal.TrainTask) -> journal.Training:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return train(task)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_train", interrupted)
        assert cli.main([*BUILD, "--sample", "2", "--seeds", "1"]) == cli.INTERRUPTED
    assert "all trainings so far are kept, and the same command resumes" in capsys.readouterr().err
    assert cli.main([*BUILD, "--sample", "2", "--seeds", "1"]) == cli.DONE
    assert "1 trainings to make" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[*BUILD, "--sample", "1"], ["table", "check", "--dataset", "digits", "--sample", "1", *TINY]]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_background_job_is_interrupted_too(
    arguments: list[str],
    number: signal.Signals,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from benchharness.training import journal

    monkeypatch.setattr(journal, "_train", lambda _: signal.raise_signal(number))
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert cli.main([*arguments, "--sample", "1", "--seeds", "1"]) == cli.INTERRUPTED
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert "all trainings so far are kept" in capsys.readouterr().err
