"""Rules for image sets: exact counts for the benchmark's three data sets, general limits for others."""

import re
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from benchharness.errors import UserError

PIXELS: Final = (8, 224)
"""Smallest and largest height and width; they must be multiples of 4, since networks halve them twice."""
CROP: Final = 4
"""Default pixels of border for random crops, as on CIFAR-10."""


class Part(NamedTuple):
    """The training or the test images of a data set, with labels."""

    images: UInt8[np.ndarray, "images 3 height width"]
    labels: Int[np.ndarray, "images"]


class Kind(NamedTuple):
    """Properties of one of the benchmark's data sets."""

    title: str
    pixels: int
    classes: int
    counts: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: int = CROP
    version: int = 1
    """Increase it whenever training augments these images differently; it is part of the run id."""


KNOWN: Final = {
    "cifar10": Kind("CIFAR-10", 32, 10, (50_000, 10_000), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": Kind("CIFAR-100", 32, 100, (50_000, 10_000), (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "imagenet16-120": Kind(
        "ImageNet16-120", 16, 120, (151_700, 6_000), (0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553), 2, 2
    ),
}
DIGITS: Final = "digits"
"""The data set that is part of the package."""
RESERVED: Final = (*KNOWN, DIGITS, "auto", "nas-bench-201")
"""Names that a user's own images cannot have."""


_SPELLINGS: Final = {re.sub(r"\W|_", "", name): name for name in (*KNOWN, DIGITS)}


def canonical(dataset: str) -> str:
    """Our name of a data set in any spelling (`ImageNet16-120`, `CIFAR 10`); `dataset` itself if it is not known.

    Raises `UserError` if it is not a string.
    """
    if not isinstance(dataset, str):
        raise UserError(f"dataset={dataset!r:.80} is not a name, such as 'digits'")
    return dataset if dataset in KNOWN else _SPELLINGS.get(re.sub(r"\W|_", "", dataset).lower(), dataset)


def check_parts(name: str, train: Part, test: Part, classes: tuple[str, ...]) -> None:
    """Raise `UserError` if types, shapes, labels or classes do not fit the data set called `name`."""
    pixels, number = _expected(name, train, classes)
    for purpose, (images, labels) in (("training", train), ("test", test)):
        if images.dtype != np.uint8 or labels.dtype != np.int64:
            raise UserError(
                f"{purpose} images of {name} are {images.dtype}, labels {labels.dtype}; not uint8 and int64"
            )
        if images.shape != (len(labels), 3, pixels, pixels) or len(labels) == 0:
            raise UserError(f"{purpose} images of {name} have shape {images.shape} for {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= number:
            raise UserError(f"{name} has labels 0 to {number - 1}; got {labels.min()} to {labels.max()}")
    if len(classes) != number:
        raise UserError(f"{name} has {number} classes; got {len(classes)} names")


def check_pixels(pixels: int) -> int:
    """`pixels`; raises `UserError` if networks cannot use images of that height and width."""
    if not PIXELS[0] <= pixels <= PIXELS[1] or pixels % 4:
        low, high = PIXELS
        raise UserError(f"images cannot have {pixels}x{pixels} pixels; take a multiple of 4 from {low} to {high}")
    return pixels


def moments(images: UInt8[np.ndarray, "images 3 height width"]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel (1 is full brightness), computed exactly from histograms."""
    counts = np.zeros((3, 256))
    for block in range(0, len(images), 1024):
        for channel in range(3):
            counts[channel] += np.bincount(images[block : block + 1024, channel].ravel(), minlength=256)
    share, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    # A constant channel has deviation 0, by which normalisation must not divide.
    std = np.sqrt(np.maximum(share @ levels**2 - mean**2, 1 / 255**2))
    return tuple(np.round(mean, 6).tolist()), tuple(np.round(std, 6).tolist())


def _expected(name: str, train: Part, classes: tuple[str, ...]) -> tuple[int, int]:
    """Height (equal to width) and number of classes that the image set `name` must have."""
    if name in KNOWN:
        return KNOWN[name].pixels, KNOWN[name].classes
    if len(classes) < 2:
        raise UserError(f"{name} has {len(classes)} classes; a data set needs 2 or more")
    return check_pixels(train.images.shape[-1] if train.images.ndim else 0), len(classes)
