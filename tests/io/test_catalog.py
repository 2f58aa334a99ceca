"""The data folder: what is imported is found again, checked, and never half there."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchharness import cli
from benchharness.data import load_images
from benchharness.data.image_set import Part, build_image_set
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.runs import data_sets
from benchharness.table import Metric, Table, load_table
from benchharness.table.build import build_table
from benchharness.table.importers import TABLES, native


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A small image set in our own format, outside of the data folder."""
    split = Part(np.arange(3 * 768, dtype=np.uint8).reshape(3, 3, 16, 16), np.array([0, 5, 119]))
    path = tmp_path / "elsewhere" / "small.npz"
    build_image_set("imagenet16-120", split, split).save(path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two architectures in our own format, outside of the data folder."""
    about = {"name": "two", "version": "0", "source": "a test"}
    figures = {Metric("cifar10", "valid", 200): np.array([80.0, 90.0])}
    path = tmp_path / "elsewhere" / "two.npz"
    build_table(about, np.array([[0] * 6, [1] * 6]), figures).save(path)
    return path


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that BENCHHARNESS_DATA names."""
    path = own_home / "data"
    path.mkdir()
    monkeypatch.setenv("BENCHHARNESS_DATA", str(path))
    return path


def test_where_the_folder_is(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_home in catalog.data_folder().parents
    monkeypatch.setenv("BENCHHARNESS_DATA", "~/mine")
    assert catalog.data_folder() == own_home / "mine"


def test_what_is_imported_is_found_listed_and_right(data: Path, images: Path, table: Path) -> None:
    items = data_sets.install(images.parent)
    assert [(item.kind, item.name) for item in items] == [("images", "imagenet16-120"), ("tables", "two")]
    assert load_table("two").optimum("cifar10", "valid").accuracy == 90.0
    assert load_images("imagenet16-120").train_labels.tolist() == [0, 5, 119]
    assert sorted(data_sets.installed()) == sorted(items)
    assert [item.path.relative_to(data).as_posix() for item in items] == ["images/imagenet16-120.npz", "tables/two.npz"]
    assert [checked.problem for checked in data_sets.verify()] == ["", ""]


def test_the_manifest_holds_checksums_and_moves_with_the_folder(
    data: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = data_sets.install(table)
    entries = json.loads((data / "manifest.json").read_text())["installed"]
    assert [(row["sha256"], row["source_sha256"], row["path"]) for row in entries] == [
        (item.sha256, item.source_sha256, "tables/two.npz")
    ]
    shutil.copytree(data, data.parent / "copy")
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data.parent / "copy"))
    assert data_sets.installed()[0].path == data.parent / "copy" / "tables" / "two.npz"
    assert [checked.problem for checked in data_sets.verify()] == [""]


def test_importing_again_replaces(data: Path, table: Path) -> None:
    data_sets.install(table)
    about = {"name": "two", "version": "1", "source": "a test"}
    build_table(about, np.array([[2] * 6]), {Metric("cifar10", "valid", 200): np.array([70.0])}).save(table)
    data_sets.install(table)
    assert (len(data_sets.installed()), len(load_table("two"))) == (1, 1)


def test_verify_names_what_was_changed_or_lost(data: Path, images: Path, table: Path) -> None:
    data_sets.install(images.parent)
    with (data / "tables" / "two.npz").open("ab") as file:
        file.write(b"x")
    (data / "images" / "imagenet16-120.npz").unlink()
    problems = {checked.item.name: checked.problem for checked in data_sets.verify()}
    assert problems["two"].endswith("two.npz has changed since it was installed; import it again")
    assert problems["imagenet16-120"].endswith("imagenet16-120.npz is missing; import it again")


def test_missing_data_says_which_command_brings_it(data: Path) -> None:
    with pytest.raises(UserError, match=f"no table 'nas-bench-201' in {data}; `benchharness data import PATH` brings"):
        load_table()


@pytest.mark.parametrize("name", ["../elsewhere/two", "/etc/passwd", "two\0", "", "*"])
def test_a_name_is_never_a_path(data: Path, table: Path, name: str) -> None:
    with pytest.raises(UserError, match="no table"):
        load_table(name)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "", "a/b", "two\n"])
def test_a_table_that_calls_itself_a_path_is_not_imported(data: Path, tmp_path: Path, name: str) -> None:
    about = {"name": name, "version": "0", "source": "a test"}
    build_table(about, np.array([[0] * 6]), {}).save(tmp_path / "odd" / "odd.npz")
    with pytest.raises(UserError, match="holds nothing that can be imported"):
        data_sets.install(tmp_path / "odd" / "odd.npz")


def test_what_cannot_be_imported_is_refused_with_what_can(data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"notes\.txt holds nothing that can be imported; known: .*ImageNet16-120 as"):
        data_sets.install(tmp_path / "notes.txt")
    with pytest.raises(UserError, match="does not exist; give a file or folder to import"):
        data_sets.install(tmp_path / "nothing")


def test_a_damaged_source_leaves_what_was_installed(data: Path, table: Path) -> None:
    data_sets.install(table)
    content = bytearray(table.read_bytes())
    content[content.index(np.float64(80).tobytes()) + 3] ^= 1
    table.write_bytes(content)
    with pytest.raises(UserError):
        data_sets.install(table)
    assert len(load_table("two")) == 2
    assert [checked.problem for checked in data_sets.verify()] == [""]


def test_a_damaged_manifest_is_a_clear_error(data: Path) -> None:
    (data / "manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        data_sets.installed()


def test_sources_that_stand_in_the_folder_are_used_from_there(data: Path, table: Path, own_home: Path) -> None:
    (data / "mine").mkdir()
    shutil.copy(table, data / "mine" / "two.npz")
    before = sorted(path.as_posix() for path in data.rglob("*"))
    assert len(load_table("two")) == 2
    assert sorted(path.as_posix() for path in data.rglob("*")) == before
    (item,) = data_sets.installed()
    assert (item.path, item.sha256) == (data / "mine" / "two.npz", "")
    assert [checked.problem for checked in data_sets.verify()] == [""]


def test_a_standing_source_is_converted_once_and_again_when_it_changes(
    data: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = data / "two.npz"
    shutil.copy(table, source)
    sources: list[Path] = []
    save = Table.save
    monkeypatch.setattr(Table, "save", lambda self, path: (sources.append(path), save(self, path))[1])
    for _ in range(3):
        load_table("two")
    assert len(sources) == 1
    about = {"name": "two", "version": "0", "source": "a test"}
    build_table(about, np.array([[4] * 6]), {Metric("cifar10", "valid", 200): np.array([60.0])}).save(source)
    assert len(load_table("two")) == 1
    assert len(set(sources)) == 3


def test_a_change_that_keeps_the_size_is_noticed(data: Path) -> None:
    about = {"name": "two", "version": "0", "source": "a test"}
    for accuracy, second in ((60.0, 1), (70.0, 2)):
        new_table = build_table(about, np.array([[4] * 6]), {Metric("cifar10", "valid", 200): np.array([accuracy])})
        new_table.save(data / "two.npz")
        os.utime(data / "two.npz", (second, second))
        assert load_table("two").accuracy((4,) * 6, "cifar10", "valid") == accuracy


def test_those_who_wait_for_a_conversion_do_not_repeat_it(
    data: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(table, data / "two.npz")
    paths: list[Path] = []
    save = Table.save

    def slow(self: Table, path: Path) -> None:
        time.sleep(0.2)
        paths.append(path)
        save(self, path)

    monkeypatch.setattr(Table, "save", slow)
    with ThreadPoolExecutor(3) as pool:
        assert [len(installed_table) for installed_table in pool.map(load_table, ["two"] * 3)] == [2, 2, 2]
    assert len(paths) == 1


def test_what_is_installed_goes_before_what_stands(data: Path, table: Path) -> None:
    shutil.copy(table, data / "two.npz")
    data_sets.install(table)
    assert [item.path.parent.name for item in data_sets.installed()] == ["tables"]
    assert catalog.find_installed(TABLES, "two") == data / "tables" / "two.npz"


@pytest.mark.parametrize("blocked", ["data", "cache"])
def test_a_folder_that_cannot_be_written_says_so(
    data: Path, table: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, blocked: str
) -> None:
    (own_home / "a file").write_text("")
    if blocked == "data":
        monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "a file" / "below"))
        with pytest.raises(UserError, match=r"cannot write .*below .*; set BENCHHARNESS_DATA"):
            data_sets.install(table)
    else:
        shutil.copy(table, data / "two.npz")
        monkeypatch.setenv("XDG_CACHE_HOME", str(own_home / "a file" / "below"))
        with pytest.raises(UserError, match=r"cannot write .*below"):
            load_table("two")


def test_processes_at_once_all_get_the_whole_table(data: Path, table: Path) -> None:
    shutil.copy(table, data / "two.npz")
    code = "from benchharness.table import load_table; print(len(load_table('two')))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["2"] * 3


def test_a_real_data_folder_offers_what_stands_in_it(data_folder: Path) -> None:
    assert {("tables", "nas-bench-201"), ("images", "cifar10")} <= {item[:2] for item in data_sets.installed()}


def test_a_standing_source_that_changed_under_its_time_and_size_is_noticed(data: Path, table: Path) -> None:
    source = data / "two.npz"
    shutil.copy(table, source)
    load_table("two")
    (item,) = data_sets.installed()
    assert len(item.source_sha256) == 64
    before = source.stat()
    content = bytearray(source.read_bytes())
    content[content.index(np.float64(80).tobytes()) + 3] ^= 1
    source.write_bytes(content)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    (checked,) = data_sets.verify()
    assert "two.npz has changed, keeping its size and time, since" in checked.problem


def test_a_conversion_that_changed_is_noticed(data: Path, table: Path) -> None:
    shutil.copy(table, data / "two.npz")
    load_table("two")
    path = catalog.find_installed(TABLES, "two")
    with path.open("ab") as file:
        file.write(b"x")
    assert "has changed since it was made from" in data_sets.verify()[0].problem
    path.unlink()
    assert [checked.problem for checked in data_sets.verify()] == [""]


def test_one_thing_can_be_verified_alone(data: Path, images: Path, table: Path) -> None:
    data_sets.install(images.parent)
    assert [checked.item.name for checked in catalog.verify((TABLES,), "two")] == ["two"]
    assert len(data_sets.verify()) == 2


@pytest.mark.parametrize("name", ["../two", "", "a b", "x" * 200])
def test_a_table_cannot_be_given_a_name_that_is_none(data: Path, table: Path, name: str) -> None:
    with pytest.raises(UserError, match="is not a valid name; use letters, digits"):
        catalog.install_with(TABLES, name, table, native)
    with pytest.raises(UserError, match="does not exist; give a file or folder"):
        catalog.install_with(TABLES, "two", table.with_name("nothing"), native)


def test_a_second_source_of_a_name_is_not_left_out_unsaid(
    data: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = images.parent / "zweite" / images.name
    second.parent.mkdir()
    shutil.copy(images, second)
    assert cli.main(["data", "import", str(images.parent)]) == cli.DONE
    output = " ".join(capsys.readouterr().out.split())
    assert f"left out: {second}, since images" in output
    assert f"came from elsewhere in {images.parent}" in output
