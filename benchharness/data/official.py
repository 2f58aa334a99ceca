"""Recognises the official images of a data set by their digests."""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int

from benchharness.data.kinds import Part


class Digests(NamedTuple):
    """SHA-256 digests of a published data set, with its images in their published order."""

    whole: str
    """Of all images and labels, computed as `ImageSet.sha256`."""
    labels: str
    """Of the labels only, training before test; it shows whether the order is the published one."""
    unordered: str
    """Of the sorted digests of single images with labels; independent of the order."""


OFFICIAL: Final = {
    # Computed from images from which the six official pickles can be rebuilt byte by byte: the rebuilt files have the
    # published md5 (c99cafc1..., d4bba439..., 54ebc095..., 634d1841..., 482c414d..., 40351d58...; also in torchvision).
    "cifar10": Digests(
        "6a71ed561862094e54d3b25e81b6c690c0ea2762e880e95d84de8f6ddf90f7f3",
        "5083e6dd0895f94970ae8513f046bf3004b333931aad82b619d23ab76f2e1845",
        "5de405b43efc01ffeb6636945981db548113865055f8d347b00a5271a8afdc9a",
    )
}
"""Data sets whose pixels can be checked; for others only counts and classes are checked."""


def difference(name: str, sha256: str, train: Part, test: Part) -> str:
    """How images differ from the official ones of the data set `name`: `other order`, `other pixels`, or empty.

    Empty also for a data set whose official digests are not known.
    """
    digests = OFFICIAL.get(name)
    if digests is None or sha256 == digests.whole:
        return ""
    return "other order" if unordered((train, test)) == digests.unordered else "other pixels"


def is_reordered(name: str, train_labels: Int[np.ndarray, " images"], test_labels: Int[np.ndarray, " tests"]) -> bool:
    """Whether the labels show that the images are not in the official order."""
    digests = OFFICIAL.get(name)
    labels = np.concatenate([train_labels, test_labels]).astype("<i8")
    return digests is not None and hashlib.sha256(labels.data).hexdigest() != digests.labels


def unordered(parts: Iterable[Part]) -> str:
    """A digest of labelled images that does not depend on their order."""
    pairs = (pair for split in parts for pair in zip(split.images, split.labels.astype("<i8"), strict=True))
    single = sorted(hashlib.sha256(image.tobytes() + label.tobytes()).digest() for image, label in pairs)
    return hashlib.sha256(b"".join(single)).hexdigest()
