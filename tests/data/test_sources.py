"""What stands where a source to import should be and is no file, or no such file: refused in a sentence, at once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchharness.data import load_split
from benchharness.data.importers import cifar, huggingface, image_folder, split_file
from benchharness.data.importers import imagenet16 as batches
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.runs import data_sets
from benchharness.table.importers import columnar, cost_frame, native, native_costs, official
from tests.support import releases


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


NONE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a full device": lambda path: path.symlink_to("/dev/full"),
    "a link into nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": Path.mkdir,
    "20 GB of nothing": sparse,
}

READERS: dict[str, Callable[[Path], object]] = {
    "x.csv": lambda path: columnar.read_as(path, "x"),
    "x.csv.gz": lambda path: columnar.read_as(path, "x"),
    "x.json": lambda path: columnar.read_as(path, "x"),
    "x.parquet": lambda path: columnar.read_as(path, "x"),
    "costs.parquet": cost_frame.read_source,
    "x.npz": native.read_source,
    "costs.npz": native_costs.read_source,
    "NAS-Bench-201-v1_1-096897.pth": official.read_source,
    "NATS-tss-v1_0-3ffb96.pickle.pbz2": official.read_source,
    "NATS-tss-v1_0-3ffb9-simple.tar": official.read_source,
    "cifar-10-python.tar.gz": cifar.read_source,
    "cifar-split.txt": load_split,
}
IMPORTERS = (columnar, cost_frame, official, native, native_costs, cifar, huggingface, batches, split_file)


@pytest.mark.parametrize("kind", NONE)
@pytest.mark.parametrize("name", READERS)
def test_in_the_place_of_one_file(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    NONE[kind](path)
    for importer in IMPORTERS:
        importer.recognises(path)
    with pytest.raises((UserError, OSError)) as refusal:
        READERS[name](path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", [what for what in NONE if what != "a folder"])
def test_in_a_folder_of_a_release(tmp_path: Path, kind: str, cifar10: Path, imagenet16: Path) -> None:
    """One file of many is none; folders are recognised by their names, without hanging."""
    nats = releases.as_folder(tmp_path / "NATS-tss-v1_0-3ffb9-simple")
    files = [
        (sorted(nats.glob("0*.pbz2"))[0], nats, lambda folder: official.read_as(folder, "part")),
        (cifar10 / "data_batch_2", cifar10, cifar.read_source),
        (imagenet16 / "val_data", imagenet16, batches.read_source),
    ]
    for file, folder, read_source in files:
        file.unlink()
        NONE[kind](file)
        for importer in IMPORTERS:
            importer.recognises(folder)
        with pytest.raises((UserError, OSError)):
            read_source(folder)


@pytest.mark.parametrize("kind", ["a pipe", "an endless device", "20 GB of nothing"])
def test_among_images(tmp_path: Path, kind: str) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / "photos" / split / label).mkdir(parents=True)
            for index in range(2):
                Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(
                    tmp_path / "photos" / split / label / f"{index}.png"
                )
    NONE[kind](tmp_path / "photos" / "train" / "a" / "9.png")
    with pytest.raises(UserError, match=r"9\.png"):
        image_folder.read_source(tmp_path / "photos")


@pytest.mark.parametrize("kind", NONE)
def test_in_the_data_folder_it_hinders_nothing_else(own_home: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    (own_home / "data").mkdir()
    for name in READERS:
        NONE[kind](own_home / "data" / name)
    (own_home / "data" / "good.csv").write_text("index,cifar10_test_200\n7,90\n")
    names = {item.name for item in data_sets.installed()}
    assert "good" in names
    shutil.rmtree(own_home / "data")


def test_what_is_opened_is_what_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    with files.open_file(tmp_path / "x", 3) as file:
        assert file.read() == b"abc"
    with pytest.raises(UserError, match="has 3 bytes; more than 2 are not read"):
        files.open_file(tmp_path / "x", 2)
