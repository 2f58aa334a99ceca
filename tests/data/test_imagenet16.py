"""ImageNet16-120 out of the official 16x16 batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchharness.data import ImageSet
from benchharness.data.device_images import DeviceImages
from benchharness.data.importers import imagenet16 as importer
from benchharness.errors import UserError


def test_the_first_120_classes_are_kept_and_count_from_zero(imagenet16: Path) -> None:
    images = importer.read_source(imagenet16)
    assert importer.recognises(imagenet16) == images.name == "imagenet16-120"
    expected = [label for index in range(10) for label in (0, 119, index + 1)]
    assert (images.train_labels.tolist(), images.test_labels.tolist()) == (expected, [0, 119, 11])
    batch = np.random.default_rng(3).integers(0, 256, (6, 3, 16, 16), np.uint8)
    np.testing.assert_array_equal(images.train[9:12], batch[[0, 1, 4]])
    assert (len(images.classes), images.label) == (120, "ImageNet16-120 (30 + 3 images)")


def test_its_images_are_cropped_from_a_border_of_two(imagenet16: Path, tmp_path: Path) -> None:
    images = importer.read_source(imagenet16)
    assert images.crop == 2
    images._replace(crop=4).save(tmp_path / "old.npz")
    assert ImageSet.open(tmp_path / "old.npz").crop == 2, "files of old say 4"
    pictures = DeviceImages(images, np.arange(30), torch.device("cpu"))
    assert pictures.padded.shape == (30, 3, 20, 20)


def test_every_batch_is_needed(imagenet16: Path) -> None:
    (imagenet16 / "train_data_batch_7").unlink()
    with pytest.raises(UserError, match="train_data_batch_7 is missing; ImageNet16-120 needs all ten"):
        importer.read_source(imagenet16)


@pytest.mark.parametrize("batch", [{"labels": [1]}, {"data": np.zeros((1, 3072), np.uint8), "labels": [1]}])
def test_a_batch_of_another_size_is_refused(imagenet16: Path, python2: Callable[[Any], bytes], batch: Any) -> None:
    (imagenet16 / "val_data").write_bytes(python2(batch))
    with pytest.raises(UserError, match="val_data is not a batch of 16x16 images"):
        importer.read_source(imagenet16)


def test_a_huge_batch_is_refused_before_it_is_read(imagenet16: Path) -> None:
    with (imagenet16 / "train_data_batch_3").open("r+b") as file:
        file.truncate(1 << 29)
    with pytest.raises(UserError, match="train_data_batch_3 has 536870912 bytes; more than"):
        importer.read_source(imagenet16)


def test_a_folder_of_anything_else_is_not_recognised(cifar10: Path) -> None:
    assert importer.recognises(cifar10) is None
