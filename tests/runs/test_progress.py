"""What is going on, told from the folders alone."""

import io
import re
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchharness.errors import UserError
from benchharness.io.progress import clock
from benchharness.runs import progress
from benchharness.runs.progress import Pace, PlanProgress, RunProgress, plan_progress, show_progress
from benchharness.runs.runner import execute
from benchharness.runs.worker import _teller
from benchharness.store import Run, Store
from tests.support.tiny import ON_CPU, Walk, jobs

LINE = {"seconds": 30.0, "valid_accuracy_pct": 12.5}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "mine")


def test_a_survey_counts_epochs_and_readings(store: Store) -> None:
    plan = jobs("darts,ostr", (0, 1, 2))
    assert plan_progress(plan, store, set()) == (0, 15, ())
    execute(plan[0], store, ON_CPU, Walk)
    with store.claim(plan[1].base) as run:
        assert run is not None
        run.log({"epoch": 1, **LINE})
        progress = plan_progress(plan, store, set())
        assert progress == (6, 15, (RunProgress("darts", 1, 1, 3, 12.5, 60.0),))
    assert plan_progress(plan, store, set()).running == ()


def test_readings_are_shown_while_they_take_place(store: Store) -> None:
    (job,) = jobs("darts,ostr")
    with store.claim(job.readouts[0]):
        (sight,) = plan_progress([job], store, set()).running
    assert str(sight) == "ostr seed 0  trained, reading the cell out"


def test_finished_runs_are_looked_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = jobs("darts,ostr")
    execute(plan[0], store, ON_CPU, Walk)
    finished_ids: set[str] = set()
    first = plan_progress(plan, store, finished_ids)
    monkeypatch.setattr(Store, "status", None)
    assert plan_progress(plan, store, finished_ids) == first == (5, 5, ())
    assert first.share == 1


def test_a_sight_in_words() -> None:
    assert str(RunProgress("darts", 3, 0, 20, None, None)) == "darts seed 3  epoch 0/20"
    assert str(RunProgress("snas", 3, 2, 20, 9.5, 3700.0)) == "snas seed 3  epoch 2/20  valid  9.50 %  1:01:40 left"


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0.0, 59.6, 3599.0, 3661.0)] == ["0:00", "1:00", "59:59", "1:01:01"]


def displayed_text(store: Store, console: Console, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is printed while a search makes two epochs."""
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    (job,) = jobs("darts")
    with show_progress([job], store, console), store.claim(job.base) as run:
        assert run is not None
        for epoch in (1, 2):
            run.log({"epoch": epoch, **LINE})
            deadline = time.monotonic() + 5
            while f"epoch {epoch}/3" not in stream.getvalue() and time.monotonic() < deadline:
                time.sleep(0.01)
    return stream.getvalue()


def test_plain_lines_where_nobody_watches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    text = displayed_text(store, Console(file=io.StringIO()), monkeypatch)
    assert [re.sub(r", \d:\d\d left\)", ")", line) for line in text.splitlines()] == [
        "darts seed 0  epoch 1/3  valid 12.50 %  1:00 left  (all: 25%)",
        "darts seed 0  epoch 2/3  valid 12.50 %  0:30 left  (all: 50%)",
    ]


def test_time_left_is_estimated_where_something_is_done_and_counts_down_between() -> None:
    pace = Pace()
    assert pace.left(PlanProgress(4, 10, ()), 100.0) is None
    assert pace.left(PlanProgress(4, 10, ()), 110.0) is None
    assert pace.left(PlanProgress(6, 10, ()), 120.0) == 40.0
    assert pace.left(PlanProgress(6, 10, ()), 125.0) == 35.0
    assert pace.left(PlanProgress(6, 10, ()), 190.0) == 0.0
    assert pace.left(PlanProgress(9, 10, ()), 200.0) == 20.0


def test_how_much_of_a_reading_is_done_is_seen(store: Store) -> None:
    (job,) = jobs("darts,darts+strength:tuning=2")
    assert plan_progress([job], store, set()).total == 3 + 1 + 11
    with store.claim(job.readouts[0]) as run:
        assert run is not None
        run.tell(0.5)
        progress = plan_progress([job], store, set())
        assert str(progress.running[0]) == "darts+strength:tuning=2 seed 0  trained, reading the cell out, 50%"
        assert progress.done == 5.5
        run.fail(RuntimeError())
        assert plan_progress([job], store, set()).done == 0


def test_a_reading_tells_how_far_it_is_at_most_once_a_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shares = [0.0], []
    monkeypatch.setattr("benchharness.runs.worker.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(Run, "tell", lambda _, share: shares.append(share))
    report_share = _teller(Run(jobs("darts")[0].base, Path("none")))
    for clock[0], share in ((0.5, 0.1), (1.0, 0.2), (1.5, 0.3), (2.5, 0.4)):
        report_share(share)
    assert shares == [0.2, 0.4]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_folder_that_cannot_be_read_ends_no_display(
    store: Store, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """As where a worker with a newer version writes records that this one refuses."""
    (job,) = jobs("darts")
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    refusal = threading.Event()

    def plan_progress(*_: object) -> None:
        refusal.set()
        raise UserError("schema 2 where this version reads 1")

    monkeypatch.setattr(progress, "plan_progress", plan_progress)
    stream = io.StringIO()
    with show_progress([job], store, Console(file=stream, force_terminal=terminal)):
        assert refusal.wait(5)
        refusal.clear()
        assert refusal.wait(5), "it goes on"
    assert "Traceback" not in stream.getvalue()


def test_a_live_display_on_a_terminal(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", displayed_text(store, console, monkeypatch))
    assert "epoch 2/3" in text
    assert "2/4 epochs and readings" in text
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]
