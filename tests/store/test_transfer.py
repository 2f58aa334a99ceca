"""What travels of a run, and what is refused of what arrives."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchharness.errors import UserError
from benchharness.records import RunRecord
from benchharness.runs.runner import execute
from benchharness.store import Run, Store, transfer
from tests.support.tiny import ON_CPU, Walk, jobs

(JOB,) = jobs("darts")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The files of a finished run."""
    store = Store(tmp_path / "there", "mine")
    execute(JOB, store, ON_CPU, Walk)
    return transfer.pack(store.folder(JOB.base))


def receiving_run(tmp_path: Path) -> Run:
    folder = Store(tmp_path / "here", "mine").folder(JOB.base)
    folder.mkdir(parents=True, exist_ok=True)
    return Run(JOB.base, folder)


def test_a_run_arrives_as_it_was_without_checkpoint_and_spec(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert set(files) == {"trace.jsonl", "trace.npz", "machine.json", "record.json"}
    run = receiving_run(tmp_path)
    transfer.unpack(run, files)
    assert run.done
    assert transfer.pack(run.folder) == files
    assert len(list(run.folder.iterdir())) == len(files)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"../../record.json": b""}, r"'\.\./\.\./record\.json' is not a file of a run"),
        ({"checkpoint.pt": b""}, r"'checkpoint\.pt' is not a file of a run"),
        ({"trace.npz": b"PK"}, r"trace\.npz that came back .* is damaged"),
        ({"trace.npz": None}, r"lack trace\.npz"),
        ({"machine.json": "text"}, "are not bytes"),
        ({"record.json": b"\xff{"}, "not a RunRecord"),
        ({"record.json": jobs("snas")[0].base.to_json().encode()}, "not a RunRecord"),
    ],
)
def test_what_is_not_as_it_should_be_is_not_written(
    tmp_path: Path, files: dict[str, bytes], changes: Mapping[str, Any], word: str
) -> None:
    run = receiving_run(tmp_path)
    with pytest.raises(UserError, match=word):
        transfer.unpack(run, {name: content for name, content in {**files, **changes}.items() if content is not None})
    assert not list(run.folder.iterdir())


def test_another_runs_record_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    other = replace(RunRecord.from_json(files["record.json"]), run_id="0" * 16).to_json().encode()
    with pytest.raises(UserError, match="is that of run 0000000000000000"):
        transfer.unpack(receiving_run(tmp_path), {**files, "record.json": other})


@pytest.mark.parametrize("name", ["trace.npz", "trace.jsonl"])
def test_files_of_another_run_are_refused(tmp_path: Path, files: dict[str, bytes], name: str) -> None:
    (other,) = jobs("darts", (9,), epochs=4)
    suite_store = Store(tmp_path / "other", "mine")
    execute(other, suite_store, ON_CPU, Walk)
    swapped = (suite_store.folder(other.base) / name).read_bytes()
    with pytest.raises(UserError, match=rf"{name} that came back .* is not what its record was written with"):
        transfer.unpack(receiving_run(tmp_path), {**files, name: swapped})


def test_too_much_is_neither_sent_nor_taken(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = receiving_run(tmp_path)
    transfer.unpack(run, files)
    monkeypatch.setattr(transfer, "LIMIT_BYTES", 1000)
    with pytest.raises(UserError, match="more than the 1000 that are carried; share the folder"):
        transfer.pack(run.folder)
    with pytest.raises(UserError, match="larger than 1000 bytes"):
        transfer.unpack(run, files)


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_parcel_is_a_finished_run_or_refused(tmp_path: Path, files: dict[str, bytes], data: st.DataObject) -> None:
    contents = st.binary(max_size=30) | st.sampled_from(sorted(files.values()))
    names = st.sampled_from(sorted(files)) | st.text(max_size=8)
    given_ = data.draw(st.dictionaries(names, contents, max_size=5))
    run = receiving_run(tmp_path)
    try:
        transfer.unpack(run, given_)
    except UserError:
        assert not run.done
    else:
        assert run.done == ("record.json" in given_)
    for file in run.folder.iterdir():
        file.unlink()
