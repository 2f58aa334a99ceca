"""One run's folder: what is written, in which order, and what its files say about where the run stands."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.records import RunRecord, RunSpec, Status
from benchharness.store import Store
from tests.support.tiny import jobs

ARCH = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture
def spec() -> RunSpec:
    return jobs("darts", (7,))[0].base


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", "mine")


def full_after(calls: int) -> Callable[[int], None]:
    calls_left = iter(range(calls))

    def sync(_: int) -> None:
        if next(calls_left, None) is None:
            raise OSError(28, "disk full")

    return sync


def record(spec: RunSpec) -> RunRecord:
    return RunRecord(spec.run_id, ARCH, spec.run_id, {"mixed_accuracy_pct": 50.0}, {"label": "CIFAR-10"})


def test_the_folder_says_what_it_holds(store: Store, spec: RunSpec, tmp_path: Path) -> None:
    assert store.folder(spec) == tmp_path / "results/mine/cifar10/darts" / f"seed-007-{spec.run_id}"


def test_the_life_of_a_run(store: Store, spec: RunSpec) -> None:
    assert store.status(spec) == Status.ABSENT
    with store.claim(spec) as run:
        assert run is not None
        assert store.status(spec) == Status.RUNNING
        run.begin(epoch=0)
        run.log({"epoch": 1})
        with store.claim(spec) as second:
            assert second is None
    assert store.status(spec) == Status.STALE
    with store.claim(spec) as run:
        assert run is not None
        run.begin(epoch=1)
        run.fail(RuntimeError("diverged"))
    assert store.status(spec) == Status.FAILED
    with store.claim(spec) as run:
        assert run is not None
        run.begin(epoch=1)
        run.finish(record(spec), {"scores": np.zeros((6, 5))}, {"train_seconds": 1.5})
    assert store.status(spec) == Status.DONE
    with store.claim(spec) as run:
        assert run is not None
        assert run.done
        assert [attempt["epoch"] for attempt in run.machine()["attempts"]] == [0, 1, 1]
        assert run.machine()["train_seconds"] == 1.5
    names = sorted(path.name for path in store.folder(spec).iterdir())
    assert names == ["machine.json", "record.json", "spec.json", "trace.jsonl", "trace.npz"]


def test_a_failure_keeps_its_trail(store: Store, spec: RunSpec) -> None:
    with store.claim(spec) as run:
        assert run is not None
        try:
            raise RuntimeError("diverged in epoch 3")
        except RuntimeError as error:
            run.fail(error)
    failure = json.loads((store.folder(spec) / "failure.json").read_text())
    assert failure["type"] == "RuntimeError"
    assert failure["message"] == "diverged in epoch 3"
    assert "test_run_folder.py" in failure["traceback"]


def test_the_record_comes_last(store: Store, spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stops `finish` before its end leaves a run that is not done."""
    with store.claim(spec) as run:
        assert run is not None
    monkeypatch.setattr("benchharness.io.files.os.fsync", full_after(2))
    with pytest.raises(OSError, match="full"):
        run.finish(record(spec), {}, {})
    monkeypatch.undo()
    assert store.status(spec) == Status.STALE
    assert not list(store.folder(spec).glob("*.tmp"))


@pytest.mark.parametrize("damage", ["", "{", '{"run_id": "00', "[]"])
def test_a_damaged_record_is_a_run_to_finish(store: Store, spec: RunSpec, damage: str) -> None:
    with store.claim(spec) as run:
        assert run is not None
        run.finish(record(spec), {}, {})
    (store.folder(spec) / "record.json").write_text(damage)
    assert store.status(spec) == Status.STALE


def test_a_damaged_spec_is_written_anew(store: Store, spec: RunSpec) -> None:
    with store.claim(spec):
        pass
    (store.folder(spec) / "spec.json").write_text('{"method": "da')
    with store.claim(spec):
        pass
    assert RunSpec.from_json((store.folder(spec) / "spec.json").read_text()) == spec


@pytest.mark.parametrize(("schema", "turn"), [(99, "upgrade benchharness"), (0, "run it again")])
def test_another_versions_folder_is_refused_with_a_sentence(
    store: Store, spec: RunSpec, schema: int, turn: str
) -> None:
    with store.claim(spec) as run:
        assert run is not None
        run.finish(record(spec), {}, {})
    path = store.folder(spec) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema}))
    with pytest.raises(UserError, match=rf"record\.json: schema {schema} .* {turn}"):
        store.status(spec)
