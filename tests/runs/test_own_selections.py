"""A selection of one's own that reads the supernets of other methods: `snas+mine.py`, and `trains_as` in a file."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from benchharness.cli import main
from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.records import named_apart
from benchharness.runs import estimate, reproduce
from benchharness.runs.plan import Job, make_plan, parse_methods
from benchharness.runs.remote import execute_remotely
from benchharness.runs.worker import Outcome, execute
from benchharness.store import Store, doctor
from benchharness.store.run_folder import read_arrays, read_record
from tests.support.tiny import ON_CPU, SETTINGS

SELECTION = dedent('''
    """Derives the operation of the smallest mean weight."""

    from dataclasses import dataclass

    import numpy as np

    from benchharness import Selected, Selection


    @dataclass(frozen=True)
    class Smallest(Selection):
        """On each edge the operation with the smallest mean weight."""

        factor: float = 1.0

        def __call__(self, method, evaluation):
            scores = -self.factor * method.expected().detach().numpy()
            return Selected(tuple(self.restricted(scores).argmax(-1)), scores)
''')
METHOD = dedent('''

    from benchharness import Method


    class Mine(Method):
        """A method whose supernet is that of another."""

        selection = Smallest
''')
LARGEST = SELECTION.replace("-self.factor", "self.factor")


def plan(methods: str, seeds: tuple[int, ...] = (0,), dataset: str = "cifar10") -> list[Job]:
    settings = protocol("small" if dataset == "digits" else "cpu", SETTINGS)
    return make_plan(parse_methods(methods), seeds, dataset, settings)


def written(path: Path, content: str = SELECTION) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def sources(job: Job) -> dict[str, bytes]:
    return {sha256: path.read_bytes() for sha256, path in job.files.items()}


def made(job: Job, store: Store) -> list[Outcome]:
    return execute(job, store, ON_CPU, sources=sources(job))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return written(tmp_path / "mine.py")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "mine")


def test_a_selection_in_a_file_reads_the_supernets_of_others(mine: Path) -> None:
    first, second = plan(f"snas,snas+strength,snas+{mine}:factor=2,drnas:kl_weight=0.1+{mine}")
    assert [spec.method for spec in first.specs] == ["snas", "snas+strength", "snas+mine:factor=2.0"]
    assert [spec.method for spec in second.specs] == ["drnas:kl_weight=0.1", "drnas:kl_weight=0.1+mine"]
    reading = first.readouts[1]
    assert (reading.trains, reading.selection, reading.source) == ("snas", "smallest", "")
    assert reading.selection_options == {"none": True, "factor": 2.0}
    assert first.files == {reading.selection_source: mine}
    assert first.base == plan("snas")[0].base, "the supernet is the one that others share"
    assert plan("snas+strength")[0].readouts[0] == first.readouts[0]


def test_trains_as_names_the_supernet_that_a_file_reads(mine: Path) -> None:
    mine.write_text(SELECTION + METHOD + "    trains_as = 'snas'\n")
    (job,) = plan(f"{mine}:factor=3:tau_max=5")
    assert [spec.method for spec in job.specs] == ["snas:tau_max=5.0", "mine:factor=3.0:tau_max=5.0"]
    (borrowed,) = plan(f"snas+{mine}")
    assert borrowed.readouts[0].method == "snas+mine"
    assert borrowed.readouts[0].selection_source == job.readouts[0].selection_source


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a" / "mine.py"), written(tmp_path / "b" / "mine.py", LARGEST)
    (job,) = plan(f"darts,darts+{first},darts+{second}")
    names = named_apart(job.specs)
    assert names[0] == "darts"
    assert [name.partition("@")[0] for name in names[1:]] == ["darts+mine", "darts+mine"]
    assert len({spec.run_id for spec in job.specs}) == len(set(names)) == 3
    (same,) = plan(f"darts+{first},darts+{first}")
    assert named_apart(same.specs) == ["darts", "darts+mine"]


def test_two_files_one_for_the_supernet_and_one_for_the_selection(tmp_path: Path, store: Store) -> None:
    method = written(tmp_path / "m.py", "from benchharness import Method\n\n\nclass M(Method):\n    pass\n")
    (job,) = plan(f"{method}+{written(tmp_path / 'mine.py')}", dataset="digits")
    assert [spec.method for spec in job.specs] == ["m", "m+mine"]
    assert [outcome.state for outcome in made(job, store)] == ["done", "done"]
    assert {path.name for path in store.folder(job.base).glob("*.py")} == {"method.py"}
    assert {path.name for path in store.folder(job.readouts[0]).glob("*.py")} == {"selection.py"}
    assert named_apart(job.specs) == ["m", "m+mine"]


def test_it_derives_what_its_file_says_from_the_same_supernet(mine: Path, tmp_path: Path, store: Store) -> None:
    other = written(tmp_path / "other.py", LARGEST)
    (job,) = plan(f"darts,darts+{mine},darts+{other}", dataset="digits")
    assert [outcome.state for outcome in made(job, store)] == ["done"] * 3
    records = [read_record(store.folder(spec)) for spec in job.specs]
    assert records[0] is not None
    assert records[2] is not None
    assert records[0].arch == records[2].arch, "the operation of the largest mean weight is what magnitude takes"
    smallest, weights = (read_arrays(store.folder(job.specs[index]))["scores"] for index in (1, 2))
    np.testing.assert_array_equal(smallest, -weights)
    assert {record.supernet for record in records if record} == {job.base.run_id}
    assert doctor.examine(store.root).findings == ()


def test_a_reading_is_repeated_from_its_copy(mine: Path, tmp_path: Path, store: Store) -> None:
    (job,) = plan(f"darts+{mine}", dataset="digits")
    made(job, store)
    mine.unlink()
    folder = store.folder(job.readouts[0])
    assert reproduce.repeat(folder, tmp_path / "again", "cpu").differences == ()
    (folder / "selection.py").unlink()
    with pytest.raises(UserError, match=r"selection\.py, the user's own file that the run was made with, is not here"):
        reproduce.repeat(folder, tmp_path / "once more", "cpu")
    (finding,) = doctor.examine(store.root).findings
    assert "selection.py, the user's own, is not here" in str(finding)


def test_it_is_sent_to_workers_that_share_no_folder(mine: Path, store: Store) -> None:
    (job,) = plan(f"darts+{mine}", dataset="digits")
    remote = execute_remotely(job, "mine", ON_CPU, sources(job), {})
    assert [outcome.state for outcome in remote.outcomes] == ["done", "done"]
    assert remote.files_by_run[job.readouts[0].run_id]["selection.py"] == mine.read_bytes()
    assert "method.py" not in remote.files_by_run[job.base.run_id]


def test_a_file_that_changed_since_the_plan_spoils_its_own_run_only(mine: Path, store: Store) -> None:
    (job,) = plan(f"darts,darts+{mine},ostr", dataset="digits")
    mine.write_text(LARGEST)
    outcomes = {outcome.spec.method: outcome for outcome in made(job, store)}
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "darts": "done",
        "darts+mine": "failed",
        "ostr": "done",
    }
    assert "the selection file of darts+mine has changed since the plan was made" in outcomes["darts+mine"].message


def test_an_error_names_the_line_of_the_file(mine: Path, store: Store) -> None:
    mine.write_text(SELECTION.replace("-self.factor", "-self.factor / 0 ** self.factor"))
    (job,) = plan(f"darts+{mine}:factor=2", dataset="digits")
    outcome = made(job, store)[1]
    line = 1 + next(index for index, text in enumerate(mine.read_text().splitlines()) if "/ 0" in text)
    assert (
        f"ZeroDivisionError: float division by zero (mine.py:{line}); run `benchharness check mine.py`"
        in outcome.message
    )


def test_its_time_is_estimated(mine: Path, store: Store) -> None:
    (job,) = plan(f"darts+{mine}", dataset="digits")
    forecast = estimate.estimate([job], store, ON_CPU, timing=True)
    assert forecast is not None
    assert forecast.failures == ()
    assert forecast.one > 0


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ("sansa+{mine}", "unknown method 'sansa'.*snas"),
        ("snas+{folder}/none.py", "there is no method file .*none.py"),
        ("snas+{mine}:factr=2", "unknown option of smallest 'factr'; did you mean 'factor'"),
        ("snas+{mine}:factor=much", "factor='much' is not a finite number"),
        ("snas+{folder}/strength.py", "strength.py is called like the built-in selection 'strength'; rename the file"),
        ("snas+{folder}/other.py", "selection Strength is called like a built-in one, 'strength'; rename the class"),
        ("snas+{folder}/two.py", "two.py defines no method and 2 subclasses of benchharness.Selection"),
        ("snas+{folder}/neither.py", "neither.py defines no method and 0 subclasses of benchharness.Selection"),
        ("{mine}", "defines 0 subclasses of benchharness.Method.*write darts[+].*mine.py"),
        ("snas+", "is no method; write NAME"),
    ],
)
def test_errors_are_sentences(mine: Path, methods: str, sentence: str) -> None:
    folder = mine.parent
    written(folder / "strength.py")
    written(folder / "other.py", SELECTION.replace("Smallest", "Strength"))
    written(folder / "two.py", SELECTION + LARGEST.replace("Smallest", "Largest"))
    written(folder / "neither.py", "x = 1\n")
    with pytest.raises(UserError, match=sentence):
        plan(methods.format(mine=mine, folder=folder))


def test_a_built_in_selection_of_a_method_file_needs_no_copy(mine: Path) -> None:
    mine.write_text("from benchharness import Method\n\n\nclass M(Method):\n    selection = 'strength'\n")
    (job,) = plan(f"snas+{mine}")
    assert (job.readouts[0].method, job.readouts[0].selection) == ("snas+mine", "strength")
    assert job.files == {}


def test_options_that_two_would_share_are_refused(mine: Path) -> None:
    mine.write_text(SELECTION.replace("factor", "tau_max") + METHOD + "    trains_as = 'snas'\n")
    with pytest.raises(UserError, match="both have an option 'tau_max'"):
        plan(str(mine))


def test_a_file_with_a_selection_alone_is_checked(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(mine)]) == 0
    assert "passed" in capsys.readouterr().out
    mine.write_text(SELECTION.replace(".argmax(-1)", ""))
    assert main(["check", str(mine)]) == 1
    assert "failed  A search of two epochs trains, resumes bit for bit and derives a cell" in capsys.readouterr().out


def test_the_command(mine: Path, tmp_path: Path, capsys: Any, own_home: Path) -> None:
    command = ["run", "--methods", f"darts,darts+{mine}", "--dataset", "digits", "--seeds", "0"]
    assert main([*command, "--fast", "--no-training", "--jobs", "1", "--out", str(own_home / "out")]) == 0
    assert "darts+mine" in capsys.readouterr().out
    (spec,) = (own_home / "out").rglob("darts+mine/*/spec.json")
    assert json.loads(spec.read_text())["selection_source"]
