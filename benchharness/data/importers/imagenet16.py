"""Imports ImageNet16-120: the first 120 classes of ImageNet at 16x16 (Chrabaszcz et al. 2017), official batches."""

from pathlib import Path
from typing import Final

import numpy as np

from benchharness.data.image_set import ImageSet, build_image_set
from benchharness.data.kinds import Part
from benchharness.errors import UserError
from benchharness.io import pickles
from benchharness.io.files import open_file

LAYOUT: Final = "ImageNet16-120 as the official folder (train_data_batch_1 to train_data_batch_10, val_data)"
_NAME: Final = "imagenet16-120"
_TRAIN: Final = tuple(f"train_data_batch_{number}" for number in range(1, 11))
_TEST: Final = "val_data"
_CLASSES: Final = 120


def recognises(path: Path) -> str | None:
    """`imagenet16-120` if the folder `path` holds the batches, else None."""
    return _NAME if path.is_dir() and (path / _TRAIN[0]).is_file() and (path / _TEST).is_file() else None


def read_source(path: Path) -> ImageSet:
    """The images of the batches in `path` that belong to classes 1 to 120, renumbered 0 to 119.

    Raises `UserError` if a batch is missing or damaged, or if its pickle refers to a class.
    """
    train = [_batch(path / name) for name in _TRAIN]
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    return build_image_set(_NAME, Part(images, labels), _batch(path / _TEST))


def _batch(path: Path) -> Part:
    """The images of one batch that belong to the first 120 classes."""
    if not path.is_file():
        raise UserError(f"{path} is missing; ImageNet16-120 needs all ten training batches and {_TEST!r}")
    with open_file(path, pickles.LIMIT_BYTES) as file:
        batch = pickles.read_pickle(file.read(), path)
    try:
        labels = np.array(batch["labels"], np.int64)
        images = batch["data"].reshape(len(labels), 3, 16, 16)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not a batch of 16x16 images ({type(error).__name__}: {str(error)[:80]})") from None
    among_first = (labels >= 1) & (labels <= _CLASSES)
    return Part(images[among_first], labels[among_first] - 1)
