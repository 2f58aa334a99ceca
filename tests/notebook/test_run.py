"""`bh.run`: what the command line makes, from Python."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchharness as bh
from benchharness.errors import UserError
from benchharness.methods import load
from benchharness.notebook import run as running
from benchharness.runs.options import RunOptions
from benchharness.search.selection import SELECTIONS
from tests.cli.test_table_build import TINY as TRAINING
from tests.support.tiny import SETTINGS

CELL = """
from benchharness import Method
class Mine(Method):
    def expected(self):
        return (2 * self.alpha).softmax(-1)
"""


SELECTION = """
from dataclasses import dataclass
from benchharness import Selected, Selection
@dataclass(frozen=True)
class Largest(Selection):
    factor: float = 2.0
    def __call__(self, method, evaluation):
        scores = self.factor * method.expected().detach().numpy()
        return Selected(tuple(scores.argmax(-1)), scores)
"""


@dataclass(frozen=True)
class Largest(bh.Selection):
    """A selection of this file."""


@pytest.mark.parametrize(
    ("seeds", "text"), [(3, "3"), (np.int64(3), "3"), ("0-2", "0-2"), (range(3), "0,1,2"), (np.arange(2), "0,1")]
)
def test_seeds_are_numbers_or_several(seeds: object, text: str) -> None:
    assert running._spelt(seeds) == text  # type: ignore[arg-type]


def test_methods_are_names_or_classes() -> None:
    assert running._methods("darts,snas") == "darts,snas"
    assert running._methods(load("darts")) == "darts"
    assert running._methods(["darts", load("snas")]) == "darts,snas"
    assert running._methods(Path("mine.py")) == "mine.py"
    assert running._methods(["darts", Path("mine.py")]) == "darts,mine.py"
    assert running._methods(("darts", "snas")) == "darts,snas"


def test_a_pair_is_a_method_and_the_selection_that_reads_its_supernet() -> None:
    assert running._methods([("darts", Largest), "snas"]) == f"darts+{__file__},snas"
    assert running._methods(("darts", Largest)) == f"darts+{__file__}"
    assert running._methods([(load("snas"), Path("mine.py")), ("drnas", "ostr")]) == "snas+mine.py,drnas+ostr"
    assert running._methods([("darts", SELECTIONS["prune"])]) == "darts+prune"


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"jobs": "2"}, "jobs='2' is not a whole number"),
        ({"jobs": 1.5}, "jobs=1.5 is not a whole number"),
        ({"jobs": True}, "jobs=True is not a whole number"),
        ({"threads": "2"}, "threads='2' is not a whole number"),
        ({"epochs_now": "1"}, "epochs_now='1' is not a whole number"),
        ({"timeout": "9m"}, "timeout='9m' is not a number"),
        ({"graphs": "no"}, "graphs='no' is not True or False"),
        ({"device": None}, "device=None is not text"),
        ({"dataset": None}, "dataset=None is not a name, such as 'digits'"),
        ({"protocol": ["cpu"]}, r"protocol=\['cpu'\] is not a name, such as 'cpu'"),
        ({"methods": None}, "None is not a method"),
        ({"methods": [3]}, "3 is not a method"),
        ({"methods": ["darts", Largest]}, r"Largest is a selection; name the method .* as in \('darts', Largest\)"),
        ({"methods": Largest}, "Largest is a selection; name the method"),
        ({"methods": [("darts", load("snas"))]}, "Snas'> is not a selection; take a name, or a class derived from"),
        ({"methods": [("darts", "ostr", "snas")]}, r"'snas'\) is not a pair of a method and the selection"),
        ({"methods": [("darts", "mine")]}, "unknown selection 'mine'"),
        ({"changes": ["epochs=1"]}, r"changes=\['epochs=1'\] is not a mapping, such as {'epochs': 10}"),
        ({"changes": {1: 2, "epochs": 1}}, "unknown setting '1'"),
        ({"out": None}, "out=None is not the path of a folder"),
        ({"suite": 3}, "suite=3 is not a name, or the path of a suite file"),
        ({"choice": "mine"}, "unknown argument of run 'choice'"),
        ({"seed": 3}, "unknown argument of run .seed.; did you mean .seeds."),
        ({"method": "darts"}, "unknown argument of run .method.; did you mean .methods."),
    ],
)
def test_a_value_of_a_wrong_type_is_refused(own_home: Path, argument: dict[str, Any], sentence: str) -> None:
    request: dict[str, Any] = {"methods": "random", "seeds": 0, "dataset": "digits", "out": own_home}
    with pytest.raises(UserError, match=sentence):
        bh.run(**{**request, **argument})
    assert not list(own_home.iterdir())


@pytest.mark.parametrize("until", [540, 1e9])
def test_a_time_that_has_passed_is_refused_with_what_it_is(own_home: Path, until: float) -> None:
    with pytest.raises(UserError, match=rf"until={until:.0f} has passed: it is a time in seconds since 1970"):
        bh.run("random", seeds=0, dataset="digits", out=own_home, until=until)


def test_a_pause_before_any_epoch_gives_no_runs(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunOptions, "pauses", lambda *_: True)
    where: dict[str, Any] = {"dataset": "digits", "out": own_home / "results", "jobs": 1, "device": "cpu"}
    results = bh.run("random", seeds=0, changes=SETTINGS, until=time.time() + 3600, **where)
    assert (len(results), list(results), len(results.frame), results.settings) == (0, [], 0, [])
    assert "nothing was run" in results._repr_html_()


def test_options_may_be_numbers_of_numpy() -> None:
    options = RunOptions(threads=np.int64(2), timeout=np.float32(3)).checked()  # type: ignore[arg-type]
    assert (options, type(options.threads)) == (RunOptions(threads=2, timeout=3.0), int)


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'threads'"):
        bh.run("darts", thread=2)


@pytest.mark.parametrize(
    ("suite", "sentence"),
    [
        ("../escaped", "there is no suite file '../escaped'"),
        ("a/b", "there is no suite file 'a/b'"),
        ("x.toml", "there is no suite file 'x.toml'"),
        (Path("x.toml"), "there is no suite file 'x.toml'"),
        ("x y", "'x y' cannot name a folder of results"),
        ("..", "'..' cannot name a folder of results"),
    ],
)
def test_a_suite_is_refused_as_by_the_command(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, suite: str | Path, sentence: str
) -> None:
    monkeypatch.chdir(own_home)
    with pytest.raises(UserError, match=sentence):
        bh.run("random", seeds=0, dataset="digits", suite=suite, training=False)
    assert not list(own_home.iterdir())


def test_a_suite_file_is_run_with_what_is_changed(own_home: Path) -> None:
    path = own_home / "mine.toml"
    settings = "".join(f"{key} = {value}\n" for key, value in {**SETTINGS, "epochs": 1}.items())
    path.write_text(f'methods = "random"\nseeds = 3\ndataset = "digits"\n[settings]\n{settings}')
    where: dict[str, Any] = {"out": own_home, "jobs": 1, "device": "cpu", "training": False, "quiet": True}
    (run,) = bh.run(suite=path, **where)
    assert (run.suite, run.method, run.seed) == ("mine", "random", 3)
    assert {run.seed for run in bh.run(suite="~/mine.toml", seeds=range(2), **where)} == {0, 1, 3}


def test_a_run_shows_what_goes_on_and_trains_the_ground_truth_that_is_missing(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchharness import cli

    monkeypatch.chdir(own_home)
    build = ["table", "build", "--dataset", "digits", "--jobs", "1", "--sample", "2", "--seeds", "1", *TRAINING]
    assert cli.main(build) == cli.DONE
    capsys.readouterr()
    changes = {**SETTINGS, "epochs": 1}
    results = bh.run("random", seeds=[0], dataset="digits", changes=changes, jobs=1, device="cpu")
    assert isinstance(results, bh.Results)
    output = capsys.readouterr().out
    assert "starting 1 at a time; runs to make: 1" in output
    assert "random seed 0  #" in output
    assert "training them once each, 1 trainings to make" in output
    (run,) = results
    assert run.status == "done"
    assert run.measured_here
    assert 0 <= run.test <= 100
    second_results = bh.run("random", seeds=0, dataset="digits", changes=changes, jobs=1, device="cpu", quiet=True)
    assert capsys.readouterr().out == ""
    assert second_results.frame.equals(results.frame)


@pytest.mark.slow
def test_a_class_of_a_session_is_run_in_processes_of_their_own(tmp_path: Path) -> None:
    changes = {**SETTINGS, "epochs": 1}
    code = f"""{CELL}
import benchharness as bh
if __name__ == "__main__":
    where = dict(dataset="digits", out={str(tmp_path)!r}, training=False, jobs=2)
    print(sorted(set(bh.run(["darts", Mine], seeds=range(2), changes={changes!r}, **where).frame["method"])))
"""
    (tmp_path / "session.py").write_text(code)
    process = subprocess.run([sys.executable, tmp_path / "session.py"], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "['darts', 'mine']"
    assert (next(tmp_path.rglob("method.py")).read_text()).endswith("return (2 * self.alpha).softmax(-1)\n")


def test_a_selection_of_a_session_reads_the_supernets_of_methods(tmp_path: Path) -> None:
    changes = {**SETTINGS, "epochs": 1}
    code = f"""{SELECTION}
import benchharness as bh
if __name__ == "__main__":
    where = dict(dataset="digits", out={str(tmp_path)!r}, training=False, jobs=1)
    print(bh.check(Largest))
    frame = bh.run(["snas", ("snas", Largest)], seeds=0, changes={changes!r}, **where).frame
    print(sorted(frame["method"]), frame["arch"].nunique())
"""
    (tmp_path / "session.py").write_text(code)
    process = subprocess.run([sys.executable, tmp_path / "session.py"], capture_output=True, text=True, check=True)
    assert "passed  A search of two epochs trains, resumes bit for bit and derives a cell" in process.stdout
    assert process.stdout.splitlines()[-1] == "['snas', 'snas+largest'] 1"
    assert "class Largest" in next(tmp_path.rglob("snas+largest/*/selection.py")).read_text()
