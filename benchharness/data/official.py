"""Recognises the official images of a data set by their digests."""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int

from benchharness.data.kinds import Part


class Digests(NamedTuple):
    """SHA-256 of a data set as it was published, its images in the order of its batches."""

    whole: str
    """Of all images and labels, as `ImageSet.sha256` has it."""
    labels: str
    """Of the labels alone, training before test: they tell the order, whatever became of the pixels."""
    unordered: str
    """Of the digests of single images with their labels, sorted: the same in any order."""


OFFICIAL: Final = {
    # Made of images whose six pickles, rebuilt from them byte by byte, have the md5 that the official page and
    # torchvision publish (c99cafc1..., d4bba439..., 54ebc095..., 634d1841..., 482c414d..., 40351d58...).
    "cifar10": Digests(
        "6a71ed561862094e54d3b25e81b6c690c0ea2762e880e95d84de8f6ddf90f7f3",
        "5083e6dd0895f94970ae8513f046bf3004b333931aad82b619d23ab76f2e1845",
        "5de405b43efc01ffeb6636945981db548113865055f8d347b00a5271a8afdc9a",
    )
}
"""Data sets whose pixels can be checked; of the others only counts and classes are known."""


def difference(name: str, sha256: str, train: Part, test: Part) -> str:
    """What sets images apart from the official ones of the data set `name`: nothing, `other order` or `other pixels`.

    Nothing too for a data set whose official pixels are not known here.
    """
    known = OFFICIAL.get(name)
    if known is None or sha256 == known.whole:
        return ""
    return "other order" if unordered((train, test)) == known.unordered else "other pixels"


def is_reordered(name: str, train_labels: Int[np.ndarray, " images"], test_labels: Int[np.ndarray, " tests"]) -> bool:
    """Whether labels show that their images are in another order than the official one."""
    known = OFFICIAL.get(name)
    labels = np.concatenate([train_labels, test_labels]).astype("<i8")
    return known is not None and hashlib.sha256(labels.data).hexdigest() != known.labels


def unordered(parts: Iterable[Part]) -> str:
    """A digest of labelled images that their order does not change."""
    pairs = (pair for part in parts for pair in zip(part.images, part.labels.astype("<i8"), strict=True))
    single = sorted(hashlib.sha256(image.tobytes() + label.tobytes()).digest() for image, label in pairs)
    return hashlib.sha256(b"".join(single)).hexdigest()
