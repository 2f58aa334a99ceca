"""The index of a results folder: quicker, never believed over the files, and no loss when it is lost."""

import gc
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchharness import store
from benchharness.errors import UserError
from benchharness.records import RunRecord
from benchharness.runs.runner import Where, execute
from benchharness.store import Store, cache
from benchharness.store import frame as reading
from tests.support.tiny import Walk, jobs

PLAN = jobs("darts,ostr", (0, 1, 2))


@pytest.fixture
def results(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two supernets with two readings each are done, a third one failed; folders of any size are indexed."""
    monkeypatch.setattr(cache, "LEAST", 1)
    for job, broken in zip(PLAN, (-1, -1, 2), strict=True):
        where = Where(Store(own_home / "results", "mine"), "cpu", 1)
        execute(job, where, lambda job, device, broken=broken: Walk(job, device, broken))
    return own_home / "results"


def place(results: Path) -> Path:
    (path,) = (results.parent / "xdg_cache_home" / "benchharness" / "index").glob("*.json.gz")
    return path


def parsed(results: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, list[str]]:
    """What reading gives, and the methods of the runs whose files it parsed."""
    seen: list[str] = []
    real = reading.read_spec
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_spec", lambda path: (seen.append(path.parent.name), real(path))[1])
        return store.read(results), seen


def test_finished_runs_are_parsed_once_and_others_each_time(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, seen = parsed(results, monkeypatch)
    assert len(seen) == len(first) == 5
    again, seen = parsed(results, monkeypatch)
    assert seen == ["darts"], "the one that failed"
    pd.testing.assert_frame_equal(first, again)
    assert first["status"].tolist() == ["done", "done", "failed", "done", "done"]


def test_what_runs_have_alike_is_held_once(results: Path) -> None:
    for frame in (store.read(results), store.read(results)):
        first, second = frame[frame["status"] == "done"]["spec"][:2]
        assert first["protocol"] is second["protocol"]
        assert first["protocol"]["epochs"] == 3


def test_a_note_that_vanishes_while_it_is_looked_at_is_none(results: Path) -> None:
    """As it does when a failed run is tried again; here it is a link to nothing."""
    (note,) = results.rglob("failure.json")
    note.unlink()
    note.symlink_to("nothing")
    assert store.read(results)["status"].tolist() == ["done", "done", "stale", "done", "done"]


def test_garbage_is_collected_again_after_a_reading(results: Path) -> None:
    store.read(results)
    assert gc.isenabled()
    (next(results.rglob("spec.json"))).write_text('{"schema": 99}')
    with pytest.raises(UserError, match="schema 99"):
        store.read(results)
    assert gc.isenabled()


def test_a_run_whose_files_changed_is_read_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.read(results)["path"][0]
    machine = json.loads((path / "machine.json").read_text())
    (path / "machine.json").write_text(json.dumps({**machine, "train_seconds": 77.0}))
    frame, seen = parsed(results, monkeypatch)
    assert len(seen) == 2
    assert frame["train_seconds"][0] == 77.0
    (path / "record.json").unlink()
    assert store.read(results)["status"][0] == "stale"
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    assert len(store.read(results)) == 4
    assert len(cache.load(results)) == 3


OTHER = "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def test_the_same_size_and_time_in_a_new_file_is_another_file(results: Path) -> None:
    frame = store.read(results)
    record = frame["path"][0] / "record.json"
    before, text = record.stat(), record.read_text()
    other = record.with_name("new")
    other_record = replace(RunRecord.from_json(text), arch=OTHER).to_json()
    other.write_text(other_record.ljust(len(text)))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(record)
    assert store.read(results)["arch"][0] == OTHER


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_torn_or_garbled_index_is_made_anew(results: Path, data: st.DataObject) -> None:
    frame = store.read(results)
    path = place(results)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    garbled = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    objects = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda part: st.lists(part, max_size=4))
    odd = st.dictionaries(st.sampled_from(["schema", "folder", "runs", "shared"]), objects)
    made = odd.map(lambda value: gzip.compress(json.dumps({"schema": 1, "folder": str(results), **value}).encode()))
    path.write_bytes(data.draw(st.sampled_from([whole[:at], garbled]) | made | st.binary(max_size=40)))
    pd.testing.assert_frame_equal(store.read(results), frame)
    path.unlink(missing_ok=True)


def test_without_a_cache_that_can_be_written_everything_is_read(results: Path) -> None:
    (results.parent / "xdg_cache_home").write_text("a file, where a folder would have to be")
    assert len(store.read(results)) == len(store.read(results)) == 5


def test_few_runs_are_not_indexed(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LEAST", 5)
    store.read(results)
    assert not (results.parent / "xdg_cache_home").exists()
