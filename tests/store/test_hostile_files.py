"""Whatever stands in the place of a run's file: readers, the doctor and runners neither hang nor trace back."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchharness import store
from benchharness.analysis import export
from benchharness.errors import UserError
from benchharness.io import catalog, files, npz
from benchharness.runs.progress import plan_progress, run_progress
from benchharness.runs.runner import execute
from benchharness.store import Store
from benchharness.store.doctor import examine
from benchharness.store.run_folder import read_arrays
from tests.support.tiny import ON_CPU, Walk, jobs

(JOB,) = jobs("darts,ostr")
FILES = ("spec.json", "record.json", "machine.json", "failure.json", "trace.jsonl", "trace.npz", "checkpoint.pt")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


def claiming(path: Path) -> None:
    """An archive of an array of 4 TiB, in a few bytes."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    header = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("alphas.npy", header)


def lying(path: Path) -> None:
    """An archive whose directory says that its entries are much smaller, and one that says they are much larger."""
    np.savez_compressed(path.with_suffix(".npz"), alphas=np.zeros((10_000, 6, 5)))
    path.with_suffix(".npz").replace(path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(content)


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "another device": lambda path: path.symlink_to("/dev/full"),
    "a folder": Path.mkdir,
    "a link into nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "20 GB of nothing": sparse,
    "an array of 4 TiB": claiming,
    "a zip that lies": lying,
}


@pytest.fixture
def suite_store(tmp_path: Path) -> Store:
    """darts and ostr, both done."""
    new_store = Store(tmp_path / "results", "mine")
    execute(JOB, new_store, ON_CPU, Walk)
    return new_store


def ours(suite_store: Store) -> dict[str, bytes]:
    folders = [suite_store.folder(spec) for spec in JOB.specs]
    return {f"{path.parent.name}/{name}": path.read_bytes() for path, name in _results(folders)}


def _results(folders: list[Path]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for name in ("spec.json", "record.json", "trace.npz"):
            yield folder / name, name


def read_by_all(suite_store: Store, out: Path) -> None:
    """Every reader; a sentence is an answer."""
    frame = store.read(suite_store.path)
    store.lines_of(frame)
    store.arrays_of(frame[frame["status"] == "done"])
    export.write_runs(suite_store.path, out / "x.csv", {})
    plan_progress([JOB], suite_store, set())
    run_progress(JOB, suite_store)
    assert all(len(str(finding)) < 1000 for finding in examine(suite_store.root).findings)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", NOT_FILES)
@pytest.mark.timeout(60)
def test_what_is_no_file_is_damage(suite_store: Store, tmp_path: Path, name: str, file: str) -> None:
    before = ours(suite_store)
    path = suite_store.folder(JOB.base) / file
    path.unlink(missing_ok=True)
    NOT_FILES[name](path)
    read_by_all(suite_store, tmp_path)
    if name == "a folder":
        return  # nothing can take its place; the run fails with a sentence
    outcomes = execute(JOB, suite_store, ON_CPU, Walk)
    read_by_all(suite_store, tmp_path)
    if file != "trace.npz" or name not in ("a link into nothing", "a link to itself"):
        assert [outcome.state for outcome in outcomes] == ["done", "done"]
        assert ours(suite_store) == before


ODD: dict[str, Callable[[], np.ndarray]] = {
    "dates": lambda: np.zeros(3, "datetime64[s]"),
    "texts": lambda: np.array(["a"] * 3),
    "bytes": lambda: np.array([b"a"] * 3),
    "records": lambda: np.zeros(3, [("a", int)]),
    "complex": lambda: np.zeros((3, 6, 5), complex),
    "a number": lambda: np.array(3.0),
    "other shapes": lambda: np.zeros((3, 5, 6)),
    "more epochs": lambda: np.zeros((4, 6, 5)),
}


@pytest.mark.parametrize("array", ["alphas", "expected", "scores", "ranking_codes", "eigenvalue"])
@pytest.mark.parametrize("name", ODD)
def test_arrays_of_other_kinds_and_shapes_are_damage(tmp_path: Path, name: str, array: str) -> None:
    good = {"alphas": np.zeros((3, 6, 5)), "expected": np.zeros((3, 6, 5)), "scores": np.zeros((6, 5))}
    np.savez(tmp_path / "trace.npz", **good)
    assert set(read_arrays(tmp_path)) == set(good)
    np.savez(tmp_path / "trace.npz", **{**good, array: ODD[name]()})
    assert read_arrays(tmp_path) == {}


def test_codes_are_codes(tmp_path: Path) -> None:
    for codes in ([-1], [15625], [1.5], [True]):
        np.savez(tmp_path / "trace.npz", ranking_codes=np.array(codes), ranking_accuracy_pct=np.zeros(1))
        assert read_arrays(tmp_path) == {}


VALUES = ("[]", "3", '"x"', "null", "true", "1e999", "NaN", '"\\ud800"', "[" * 200_000, '{"a":' * 200_000, "9" * 5000)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("file", ["machine.json", "failure.json", "trace.jsonl"])
def test_json_of_another_type_is_damage(suite_store: Store, tmp_path: Path, file: str, value: str) -> None:
    """In the place of the whole, and of every value in it."""
    path = suite_store.folder(JOB.base) / file
    content = json.loads(path.read_text().splitlines()[0] if file == "trace.jsonl" else "null") or (
        json.loads(path.read_text()) if path.exists() else {"type": "x", "message": "y", "traceback": "z"}
    )
    for name in (None, *content):
        values = {key: json.dumps(field_value) for key, field_value in content.items()} | (
            {name: value} if name else {}
        )
        text = (
            value
            if name is None
            else "{" + ",".join(f'"{key}": {field_value}' for key, field_value in values.items()) + "}"
        )
        path.write_text(text + "\n")
        read_by_all(suite_store, tmp_path)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_sealed_record_of_other_types_is_damage(suite_store: Store, tmp_path: Path, value: str) -> None:
    path = suite_store.folder(JOB.base) / "record.json"
    for field in ("arch", "data", "measures", "supernet", "notes", "files"):
        record = json.loads(path.read_text())
        values = {key: json.dumps(field_value) for key, field_value in record.items() if key != "sha256"} | {
            field: value
        }
        (other := path.with_name("other")).write_text("{" + ",".join(f'"{k}": {v}' for k, v in values.items()) + "}")
        original = path.read_bytes()
        other.replace(path)
        read_by_all(suite_store, tmp_path)
        path.write_bytes(original)


@pytest.mark.parametrize("text", [*VALUES, "", '{"installed": [3]}', '{"installed": [{"path": "\\u0000"}]}'])
def test_a_manifest_of_other_types_is_one_sentence(own_home: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home))
    (own_home / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is damaged; import the data again"):
        catalog._manifest()


@pytest.mark.parametrize("name", NOT_FILES)
@pytest.mark.timeout(60)
def test_our_own_files_are_files(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    NOT_FILES[name](tmp_path / "x.npz")
    assert npz.header(tmp_path / "x.npz", "table") == {}
    with pytest.raises(UserError, match=r"x\.npz"):
        npz.read_arrays(tmp_path / "x.npz", "table", 1 << 20)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home))
    NOT_FILES[name](own_home / "manifest.json")
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        catalog._manifest()


def full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: files.write_text(path, "x"),
    "JSON": lambda path: files.write_json(path, {}),
    "arrays": lambda path: files.write_arrays(path, {}),
    "a line": lambda path: files.append_line(path, {}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_sentence_with_the_path(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchharness.io.files.os.fsync", full)
    with pytest.raises(OSError, match="the disk is full") as error:
        WRITERS[name](tmp_path / "x")
    sentence = f"{tmp_path / 'x'} cannot be written: the disk is full; make room, and give the command again"
    assert str(error.value) == sentence


def test_a_full_disk_under_a_checkpoint_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite_store = Store(tmp_path / "results", "mine")
    write = files.write_bytes

    def full_for_checkpoints(path: Path, content: bytes) -> None:
        with files.writing(path):
            full() if path.name == "checkpoint.pt" else write(path, content)

    monkeypatch.setattr(files, "write_bytes", full_for_checkpoints)
    outcome, _ = execute(JOB, suite_store, ON_CPU, Walk)
    path = suite_store.folder(JOB.base) / "checkpoint.pt"
    assert outcome.message == f"{path} cannot be written: the disk is full; make room, and give the command again"
    assert outcome.state == "failed"
    assert json.loads(path.with_name("failure.json").read_text())["message"] == outcome.message
    monkeypatch.undo()
    assert [result.state for result in execute(JOB, suite_store, ON_CPU, Walk)] == ["done", "done"]
