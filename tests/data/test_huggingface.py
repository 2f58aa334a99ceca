"""CIFAR out of the Parquet files of its Hugging Face data sets."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchharness.data.importers import huggingface
from benchharness.errors import UserError

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def test_lossless_images_come_out_as_they_went_in(hf_folder: Callable[..., Path]) -> None:
    folder = hf_folder(names=NAMES)
    assert huggingface.recognises(folder) == "cifar10"
    images = huggingface.read_source(folder)
    np.testing.assert_array_equal(images.train, np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), np.uint8))
    np.testing.assert_array_equal(images.test, np.random.default_rng(1).integers(0, 256, (3, 3, 32, 32), np.uint8))
    assert (images.train_labels.tolist(), images.classes) == ([0, 1, 2, 3, 4], tuple(NAMES))
    assert images.label == "CIFAR-10 (other pixels, 5 + 3 images)"


def test_jpeg_images_are_labelled_as_such(hf_folder: Callable[..., Path]) -> None:
    assert huggingface.read_source(hf_folder("JPEG")).label == "CIFAR-10 (JPEG, 5 + 3 images)"


def test_cifar100_is_told_by_its_fine_labels(hf_folder: Callable[..., Path]) -> None:
    folder = hf_folder(label="fine_label")
    assert huggingface.recognises(folder) == "cifar100"
    assert huggingface.read_source(folder).classes == tuple(map(str, range(100)))


def test_images_of_another_size_are_refused(hf_folder: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="image 0 is 28x28 RGB; expected 32x32 RGB"):
        huggingface.read_source(hf_folder(pixels=28))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50), None])
def test_an_image_that_cannot_be_decoded_is_named(hf_folder: Callable[..., Path], content: bytes | None) -> None:
    folder = hf_folder()
    bad = pa.table({"img": pa.array([{"bytes": content, "path": None}]), "label": [0]})
    parquet.write_table(bad, folder / "train-00002-of-00002.parquet")
    with pytest.raises(UserError, match="image 5 cannot be decoded"):
        huggingface.read_source(folder)


def test_more_images_than_any_cifar_are_refused(
    hf_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface, "_ROWS_LIMIT", 4)
    with pytest.raises(UserError, match="has 5 images; CIFAR has 60,000"):
        huggingface.read_source(hf_folder())


def test_other_folders_are_not_recognised(hf_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = hf_folder()
    assert huggingface.recognises(tmp_path) is None
    assert huggingface.recognises(next(folder.iterdir())) is None
    for file in folder.glob("train-*"):
        file.write_bytes(b"PAR1 is not enough")
    assert huggingface.recognises(folder) is None


def test_parquet_files_of_two_sets_are_not_joined(hf_folder: Callable[..., Path]) -> None:
    place = hf_folder()
    shutil.copy(place / "train-00000-of-00002.parquet", place / "train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=r"mixes files of 1 and of 2, such as train-00000-of-00001\.parquet"):
        huggingface.read_source(place)


def test_a_parquet_file_that_is_missing_is_named(hf_folder: Callable[..., Path]) -> None:
    place = hf_folder()
    (place / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(UserError, match="lacks file 00001 of 2 beside train-00000-of-00002"):
        huggingface.read_source(place)
