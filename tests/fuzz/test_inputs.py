"""Whatever bytes stand where something is read, the answer is right or one clear sentence: no traceback, no hang.

Bytes are damaged copies of honest files, since few random ones get past a parser's first look.
"""

import bz2
import gzip
import io
import json
import os
import pickle
import tarfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchharness import space
from benchharness.data import ImageSet, load_split
from benchharness.data.image_set import Part
from benchharness.data.image_set import build_image_set as build_images
from benchharness.data.importers import IMAGES, huggingface, imagenet16, split_file
from benchharness.data.importers import cifar as cifar_archive
from benchharness.errors import UserError
from benchharness.io import sources
from benchharness.records import RunRecord, RunSpec
from benchharness.runs import data_sets
from benchharness.runs.suite import load_suite as load_suite
from benchharness.store import arrays, read, trace
from benchharness.table import Metric, Table
from benchharness.table.build import build_table
from benchharness.table.importers import COSTS, TABLES, columnar, cost_frame, official

EXAMPLES = int(os.environ.get("BENCHHARNESS_FUZZ", "60"))
FEW = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
WORK_SECONDS = 5.0
"""Of the processor, and not of the clock, which runs on while other processes are at work."""
ARCH = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"

Spoil = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
        st.tuples(st.just("double"), st.floats(0, 1), st.integers(1, 64)),
        st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 64)),
        st.tuples(st.just("put"), st.floats(0, 1), st.binary(min_size=1, max_size=12)),
    ),
    min_size=1,
    max_size=4,
)
"""What happens to a file: a byte set, the rest cut, a piece doubled, dropped or put in; places are shares of it."""


def spoil_bytes(content: bytes, changes: list[Any]) -> bytes:
    for kind, share, value in changes:
        position = int(share * len(content))
        head, tail = content[:position], content[position:]
        match kind:
            case "set":
                content = head + bytes([value]) + tail[1:]
            case "cut":
                content = head
            case "double":
                content = head + tail[:value] + tail
            case "drop":
                content = head + tail[value:]
            case _:
                content = head + value + tail
    return content


def answers(call: Callable[[], object]) -> None:
    """`call` gives an answer, or refuses in one sentence, and neither takes long."""
    message, start_seconds = "", time.process_time()
    try:
        call()
    except UserError as error:
        message = str(error).strip()
    assert "\n" not in message
    assert len(message) < 2_000
    assert time.process_time() - start_seconds < WORK_SECONDS


@given(
    st.text()
    | st.from_regex(r"[|~+a-z_0-9]{0,80}")
    | Spoil.map(lambda c: spoil_bytes(ARCH.encode(), c).decode("latin1"))
)
@FEW
def test_architecture_strings(text: str) -> None:
    with suppress(UserError):
        assert space.to_string(space.from_string(text)) == text.strip()


SPEC = RunSpec("darts", "darts", "magnitude", "cifar10", 0, {"name": "cpu", "epochs": 2}).to_json()
RECORD = RunRecord("ab" * 8, ARCH, "ab" * 8, {"mixed_accuracy_pct": 50.0}, {"label": "x"}).to_json()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("kind", "text"), [(RunSpec, SPEC), (RunRecord, RECORD)])
@given(changes=Spoil)
@FEW
def test_specs_and_records(kind: Any, text: str, changes: list[Any]) -> None:
    answers(lambda: kind.from_json(spoil_bytes(text.encode(), changes).decode("utf-8", "replace")))


@given(changes=Spoil)
@FEW
def test_suites(tmp_path: Path, changes: list[Any]) -> None:
    text = 'name = "x"\nmethods = "darts,ostr"\nseeds = "0-2"\nprotocol = "cpu"\n\n[settings]\nepochs = 2\n'
    path = tmp_path / "suite.toml"
    path.write_bytes(spoil_bytes(text.encode(), changes))
    answers(lambda: load_suite(path))


@pytest.mark.parametrize(
    "file", ["spec.json", "trace.jsonl", "record.json", "machine.json", "failure.json", "trace.npz"]
)
@given(changes=Spoil)
@FEW
def test_runs(tmp_path: Path, file: str, changes: list[Any]) -> None:
    run = tmp_path / "suite" / "cifar10" / "darts" / f"seed-000-{json.loads(RECORD)['run_id']}"
    run.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"epoch": 1, "train_loss": 2.0, "arch": ARCH}) + "\n"
    buffer = io.BytesIO()
    np.savez(buffer, alphas=np.zeros((2, 6, 5)))
    files = {"spec.json": SPEC, "trace.jsonl": line * 2, "record.json": RECORD, "machine.json": "{}"}
    contents = {name: text.encode() for name, text in files.items()} | {"trace.npz": buffer.getvalue()}
    contents.setdefault(file, b'{"type": "x", "message": "y", "traceback": "z"}')
    contents[file] = spoil_bytes(contents[file], changes)
    for name, content in contents.items():
        (run / name).write_bytes(content)
    answers(lambda: read(tmp_path / "suite"))
    answers(lambda: trace(run))
    answers(lambda: arrays(run))


def tables(path: Path) -> dict[str, bytes]:
    """Honest files of every layout of tables."""
    about = {"name": "x", "version": "0", "source": "a test"}
    metric = Metric("cifar10", "test", 200)
    table = build_table(about, np.array([[0] * 6, [1] * 6]), {metric: np.array([80.0, 90.0])})
    table.save(path / "x.npz")
    costs = f'index,arch,raspi4,pi5_onnx_mj\n1,"{ARCH}",2.5,3\n'.encode()
    (path / "costs.csv").write_bytes(costs)
    cost_frame.read_source(path / "costs.csv").save(path / "costs.npz")
    pd.DataFrame({"arch": [ARCH], "raspi4": [2.5]}).to_parquet(path / "costs.parquet")
    rows = pd.DataFrame({"arch": [ARCH], "cifar10_test_200": [90.0], "cifar10_test_200_by_seed": [[90.0, 90.0]]})
    rows.to_parquet(path / "x.parquet")
    trial = {"params": 0.1, "flop": 1.0, "epochs": 200, "eval_acc1es": {"ori-test@199": 9.0}, "train_acc1es": {0: 1.0}}
    states = {"200": {"arch_str": ARCH, "all_results": {("cifar10", 777): trial}}}
    return {
        "x.npz": (path / "x.npz").read_bytes(),
        "x.csv": f'index,arch,cifar10_test_200\n1,"{ARCH}",90\n'.encode(),
        "x.json": json.dumps([{"arch": ARCH, "cifar10_test_200": 90.0}]).encode(),
        "x.parquet": (path / "x.parquet").read_bytes(),
        "costs.csv": costs,
        "costs.npz": (path / "costs.npz").read_bytes(),
        "costs.parquet": (path / "costs.parquet").read_bytes(),
        "x.pth": pickle.dumps({"meta_archs": [ARCH], "arch2infos": {1: states, 2: {}}, "done": {1}}, 2),
        "x.pickle.pbz2": bz2.compress(pickle.dumps({"arch2infos": {1: states, 2: {}}}, 4)),
    }


READERS: dict[str, Callable[[Path], object]] = {
    "x.npz": TABLES.native.read_source,
    "x.csv": lambda path: columnar.read_as(path, "x"),
    "x.json": lambda path: columnar.read_as(path, "x"),
    "x.parquet": lambda path: columnar.read_as(path, "x"),
    "costs.csv": cost_frame.read_source,
    "costs.npz": COSTS.native.read_source,
    "costs.parquet": cost_frame.read_source,
    "x.pth": lambda path: official.read_as(path, "x"),
    "x.pickle.pbz2": lambda path: official.read_as(path, "x"),
}


@pytest.mark.parametrize("name", READERS)
@given(changes=Spoil)
@FEW
def test_tables(tmp_path: Path, name: str, changes: list[Any]) -> None:
    if not (tmp_path / "honest").exists():
        (tmp_path / "honest").mkdir()
        for file, content in tables(tmp_path / "honest").items():
            (tmp_path / "honest" / file).write_bytes(content)
    path = tmp_path / name
    path.write_bytes(spoil_bytes((tmp_path / "honest" / name).read_bytes(), changes))
    answers(lambda: READERS[name](path))
    for importer in (columnar, official, cost_frame, split_file):
        importer.recognises(path)


@given(changes=Spoil)
@FEW
def test_states_inside_a_one_file_release(tmp_path: Path, changes: list[Any]) -> None:
    """Damaged before they are packed, so that what is wrong comes past the unpacking."""
    content = tables(tmp_path)["x.pickle.pbz2"]
    path = tmp_path / "x.pickle.pbz2"
    path.write_bytes(bz2.compress(spoil_bytes(bz2.decompress(content), changes)))
    answers(lambda: official.read_as(path, "x"))


@given(data=st.data())
@FEW
def test_trials_of_other_values(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.pickle.pbz2"
    release_state = pickle.loads(bz2.decompress(tables(tmp_path)["x.pickle.pbz2"]))
    state = release_state["arch2infos"][1]["200"]
    trial = next(iter(state["all_results"].values()))
    target = data.draw(
        st.sampled_from([release_state, release_state["arch2infos"], release_state["arch2infos"][1], state, trial])
    )
    target[data.draw(st.sampled_from(list(target)))] = data.draw(JSON)
    path.write_bytes(bz2.compress(pickle.dumps(release_state, 4)))
    answers(lambda: official.read_as(path, "x"))


def cifar(batches: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in batches.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def batch() -> bytes:
    return pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [1, 2], "labels": [1, 2]}, 2)


@pytest.mark.parametrize("layer", ["pickle", "archive", "packed"])
@given(changes=Spoil)
@FEW
def test_image_archives(tmp_path: Path, layer: str, changes: list[Any]) -> None:
    meta = pickle.dumps({"fine_label_names": [f"class {number}" for number in range(100)]}, 2)
    first = spoil_bytes(batch(), changes) if layer == "pickle" else batch()
    content = cifar({"train": first, "test": batch(), "meta": meta})
    content = spoil_bytes(content, changes) if layer == "archive" else content
    content = gzip.compress(content)
    path = tmp_path / "cifar-100-python.tar.gz"
    path.write_bytes(spoil_bytes(content, changes) if layer == "packed" else content)
    if cifar_archive.recognises(path):
        answers(lambda: sources.read_source(sources.Source(IMAGES, "cifar100", path, cifar_archive)))


@given(changes=Spoil, damaged_file=st.sampled_from(["train_data_batch_1", "val_data"]))
@FEW
def test_image_folders(tmp_path: Path, changes: list[Any], damaged_file: str) -> None:
    for name in ("val_data", *(f"train_data_batch_{number}" for number in range(1, 11))):
        content = pickle.dumps({"data": np.zeros((2, 768), np.uint8), "labels": [1, 120]}, 2)
        (tmp_path / name).write_bytes(spoil_bytes(content, changes) if name == damaged_file else content)
    answers(lambda: sources.read_source(sources.Source(IMAGES, "imagenet16-120", tmp_path, imagenet16)))


@given(changes=Spoil)
@FEW
def test_image_tables_and_our_own_image_files(tmp_path: Path, changes: list[Any]) -> None:
    rows = pd.DataFrame({"img": [{"bytes": b"\x89PNG", "path": "x"}], "label": [1]})
    for name in ("train-0.parquet", "test-0.parquet"):
        rows.to_parquet(tmp_path / name)
    path = tmp_path / "train-0.parquet"
    path.write_bytes(spoil_bytes(path.read_bytes(), changes))
    if huggingface.recognises(tmp_path):
        answers(lambda: sources.read_source(sources.Source(IMAGES, "cifar10", tmp_path, huggingface)))
    part = Part(np.zeros((2, 3, 16, 16), np.uint8), np.array([0, 1]))
    build_images("imagenet16-120", part, part).save(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(spoil_bytes((tmp_path / "x.npz").read_bytes(), changes))
    answers(lambda: ImageSet.open(tmp_path / "x.npz").checked())


@given(changes=Spoil)
@FEW
def test_split_files(tmp_path: Path, changes: list[Any]) -> None:
    path = tmp_path / "split.txt"
    path.write_bytes(spoil_bytes(b'{"train": ["int", ["0", "2", "4"]], "valid": ["int", ["3", "1"]]}', changes))
    answers(lambda: load_split(path))
    answers(lambda: split_file.read_source(path))


@given(changes=Spoil)
@FEW
def test_manifests(tmp_path: Path, changes: list[Any]) -> None:
    row = {
        "kind": "tables",
        "name": "x",
        "path": "tables/x.npz",
        "source": "a",
        "source_sha256": "",
        "sha256": "",
        "bytes": 1,
    }
    (tmp_path / "manifest.json").write_bytes(
        spoil_bytes(json.dumps({"schema": 2, "installed": [row]}).encode(), changes)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHHARNESS_DATA", str(tmp_path))
        answers(data_sets.installed)
        answers(data_sets.verify)


def test_a_zip_of_terabytes_is_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ops.npy", b"\0" * (1 << 29))
    with pytest.raises(UserError, match="unpacks to 536870912 bytes, more than the 268435456 of any"):
        Table.open(path)
