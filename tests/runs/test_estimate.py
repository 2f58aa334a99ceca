"""How long a plan's searches are told to take, from finished runs or from timed steps."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch

from benchharness import methods
from benchharness.compute import environment
from benchharness.data import load_images
from benchharness.runs import estimate as estimating
from benchharness.runs.estimate import Estimate, estimate
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.runner import execute
from benchharness.search import rehearsal
from benchharness.search.rehearsal import Counted, Rehearsal
from benchharness.store import Store
from tests.support.tiny import ON_CPU, Walk, install_images, jobs

ONE, TWO = RunOptions(1, "cpu"), RunOptions(2, "cpu")


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cores", lambda: 2)


@pytest.fixture
def store(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    install_images(own_home / "data")
    return Store(own_home / "results", "s")


@pytest.fixture
def _ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which whatever is timed takes a second."""
    ticks: Iterator[int] = count()
    monkeypatch.setattr(rehearsal, "perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr(rehearsal, "PATIENCE", 1e9)


def record_run(job: Job, store: Store, **options: object) -> None:
    execute(job, store, ON_CPU._replace(**options), Walk)  # type: ignore[arg-type]


def rehearsed(methods: str, **changes: object) -> tuple[Rehearsal, Job]:
    (job,) = jobs(methods, **changes)
    return Rehearsal(job.base, load_images("cifar10"), torch.device("cpu"), job.source_path), job


def test_finished_runs_of_the_same_settings_tell(store: Store) -> None:
    plan = jobs("darts,ostr", seeds=(0, 1, 2, 3))
    assert estimate(plan, store, ONE, timing=False) is None
    record_run(plan[0], store)
    forecast = estimate(plan, store, ONE, timing=False)
    machines = [json.loads((store.folder(spec) / "machine.json").read_text()) for spec in plan[0].specs]
    reading = sum(machine["selection_seconds"] for machine in machines)
    assert forecast is not None
    assert forecast.one == forecast.several == pytest.approx(3 * (3 * 0.5 + reading))
    assert (forecast.recorded, forecast.timed, forecast.assumed, forecast.failures) == (1, 0, 0, ())
    two = estimate(plan, store, TWO, timing=True)
    assert two is not None
    assert (two.several, two.ways) == (pytest.approx(forecast.one / 2), 2)
    assert str(two).endswith("from finished runs of 1 method like these")
    record_run(plan[1], store, epochs_now=2)
    shorter = estimate(plan, store, TWO, timing=False)
    assert shorter is not None
    assert shorter.one == pytest.approx(forecast.one - 2 * 0.5)
    other = jobs("darts,ostr", seeds=(0,), epochs=4)
    assert estimate(other, store, ONE, timing=False) is None, "of other settings"


def test_the_longest_search_is_not_divided(store: Store) -> None:
    plan = jobs("darts", seeds=(0, 1))
    record_run(plan[0], store)
    forecast = estimate(plan, store, TWO, timing=False)
    assert forecast is not None
    assert (forecast.ways, forecast.several) == (1, forecast.one)


@pytest.mark.parametrize("change", ["processor", "threads", "compile"])
def test_runs_made_elsewhere_or_otherwise_tell_nothing(
    store: Store, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = jobs("darts", seeds=(0, 1))
    record_run(plan[0], store)
    options = {"threads": TWO._replace(threads=2), "compile": TWO._replace(compile="on")}.get(change, TWO)
    if change == "processor":
        monkeypatch.setattr(environment, "processor", lambda: "another")
    assert estimate(plan, store, options, timing=False) is None


def test_where_all_is_done_or_dask_decides_there_is_nothing_to_tell(store: Store) -> None:
    plan = jobs("darts")
    assert estimate(plan, store, TWO._replace(executor="dask"), timing=True) is None
    record_run(plan[0], store)
    assert estimate(plan, store, TWO, timing=True) is None


def test_without_such_runs_steps_are_timed_and_nothing_is_written(store: Store) -> None:
    forecast = estimate(jobs("darts,ostr,snas", seeds=(0, 1)), store, TWO, timing=True)
    assert forecast is not None
    assert forecast.one > 0
    assert (forecast.ways, forecast.recorded, forecast.timed, forecast.assumed) == (2, 0, 2, 0)
    assert "from a few timed steps of 2 methods, not compiled" in str(forecast)
    assert not store.root.exists()


def test_no_time_is_spent_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "PATIENCE", 0.001)
    forecast = estimate(jobs("darts,snas,drnas"), store, TWO, timing=True)
    assert forecast is not None
    assert (forecast.timed, forecast.assumed) == (1, 2)
    assert str(forecast).endswith("not compiled, and their mean for 2 methods more")


def test_a_step_that_fails_is_told_and_not_counted(store: Store, own_home: Path) -> None:
    text = (
        "from benchharness import Method\n\n\nclass Bad(Method):\n    def draw(self, progress):\n        return 1 / 0\n"
    )
    (own_home / "bad.py").write_text(text)
    forecast = estimate(jobs(f"{own_home / 'bad.py'},darts"), store, ONE, timing=True)
    assert forecast is not None
    assert forecast.failures == ("bad: ZeroDivisionError: division by zero (bad.py:6)",)
    assert (forecast.ways, forecast.timed, forecast.assumed) == (1, 1, 0)


@pytest.mark.usefixtures("_ticks", "store")
def test_steps_eigenvalues_and_readings_are_counted() -> None:
    search, job = rehearsed("darts,ostr", images=64, batch=16, epochs=4, eval_batch=8, ranking=5)
    assert search.epoch_seconds() == 2.0, "of 32 images in batches of 16"
    with_eigenvalues, _ = rehearsed("darts", epochs=4, eigenvalue_every=3)
    assert with_eigenvalues.epoch_seconds() == 2.0 + 2 * 30 / 4, "after epochs 3 and 4, a row an alpha"
    # What is timed takes a second, here 4 batches of a mixture and of a cell, and 2 of five cells, of which two are.
    assert search.reading_seconds(job.base, 2.0) == pytest.approx(1 + 4 + 4 + 2 * 5 / 2)
    # Strength: six edges of five operations each, and the mixture before the first edge.
    assert search.reading_seconds(job.readouts[0], 2.0) == pytest.approx(1 + 4 * (6 + 5 * 5) / 2 + 4 + 4, rel=0.35)
    tuned, pt = rehearsed("darts-pt:tuning=3")
    assert tuned.reading_seconds(pt.specs[-1], 100.0) > 5 * 3 * 100.0


@pytest.mark.usefixtures("_ticks", "store")
def test_a_selection_that_takes_long_is_told_from_its_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    search, _ = rehearsed("darts")
    monkeypatch.setattr(rehearsal, "PATIENCE", 3.0)
    evaluation, shares = Counted(search.net, search.stream), []

    def select() -> None:
        evaluation.expect(10)
        for step in range(10):
            shares.append(step)
            evaluation.step()

    assert evaluation.own_seconds(select) == pytest.approx(10 * 5 / len(shares))
    assert len(shares) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", methods.names())
def test_every_method_can_be_rehearsed(name: str) -> None:
    cheap = ":samples=4" if name == "proxy" else ""
    search, job = rehearsed(
        name + cheap, channels=12 if name == "drnas-progressive" else 4, epochs=2, images=32, ranking=2
    )
    assert all(search.reading_seconds(spec, search.epoch_seconds()) >= 0 for spec in job.specs)


def test_it_is_said_in_one_sentence() -> None:
    assert str(Estimate(7200, 3600, 2, 1, 2, 0, ())) == (
        "estimated time of the searches: 1:00:00 with 2 at a time, 2:00:00 one by one; from finished runs of 1 method "
        "like these, and a few timed steps of 2 methods, not compiled"
    )
