"""Rules that image sets must meet: exact counts for the three of the benchmark, general rules for others."""

import re
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from benchharness.errors import UserError

PIXELS: Final = (8, 224)
"""Least and largest height and width; between them every multiple of 4, as networks halve it twice."""
CROP: Final = 4
"""Pixels of border that images are cropped from at random where nothing else is said, as on CIFAR-10."""


class Part(NamedTuple):
    """The training or the test images of a source."""

    images: UInt8[np.ndarray, "images 3 height width"]
    labels: Int[np.ndarray, "images"]


class Kind(NamedTuple):
    """A data set that papers report on."""

    title: str
    pixels: int
    classes: int
    counts: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: int = CROP
    version: int = 1
    """Raise it when training augments these images differently: later runs then have other ids."""


KNOWN: Final = {
    "cifar10": Kind("CIFAR-10", 32, 10, (50_000, 10_000), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": Kind("CIFAR-100", 32, 100, (50_000, 10_000), (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "imagenet16-120": Kind(
        "ImageNet16-120", 16, 120, (151_700, 6_000), (0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553), 2, 2
    ),
}
DIGITS: Final = "digits"
"""The data set that comes with the package."""
RESERVED: Final = (*KNOWN, DIGITS, "auto", "nas-bench-201")
"""Names that the user's own images may not have, since each means something else."""


_SPELLINGS: Final = {re.sub(r"\W|_", "", name): name for name in (*KNOWN, DIGITS)}


def canonical(dataset: str) -> str:
    """The name of a data set known in another spelling (`ImageNet16-120`, `CIFAR 10`), else `dataset` itself."""
    return dataset if dataset in KNOWN else _SPELLINGS.get(re.sub(r"\W|_", "", dataset).lower(), dataset)


def check_parts(name: str, train: Part, test: Part, classes: tuple[str, ...]) -> None:
    """Raise `UserError` where these are not images of the data set called `name`."""
    pixels, number = _expected(name, train, classes)
    for what, (images, labels) in (("training", train), ("test", test)):
        if images.dtype != np.uint8 or labels.dtype != np.int64:
            raise UserError(f"{what} images of {name} are {images.dtype}, labels {labels.dtype}; not uint8 and int64")
        if images.shape != (len(labels), 3, pixels, pixels) or len(labels) == 0:
            raise UserError(f"{what} images of {name} have shape {images.shape} for {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= number:
            raise UserError(f"{name} has labels 0 to {number - 1}; got {labels.min()} to {labels.max()}")
    if len(classes) != number:
        raise UserError(f"{name} has {number} classes; got {len(classes)} names")


def check_pixels(pixels: int) -> int:
    """`pixels`; raises `UserError` where no network can take images of that height and width."""
    if not PIXELS[0] <= pixels <= PIXELS[1] or pixels % 4:
        low, high = PIXELS
        raise UserError(f"images of {pixels} pixels are not to be had; take a multiple of 4 from {low} to {high}")
    return pixels


def moments(images: UInt8[np.ndarray, "images 3 height width"]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel in units of full brightness, by histogram and so exact."""
    counts = np.zeros((3, 256))
    for block in range(0, len(images), 1024):
        for channel in range(3):
            counts[channel] += np.bincount(images[block : block + 1024, channel].ravel(), minlength=256)
    share, levels = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ levels
    # A channel that is the same everywhere says nothing, and must not be divided by zero.
    std = np.sqrt(np.maximum(share @ levels**2 - mean**2, 1 / 255**2))
    return tuple(np.round(mean, 6).tolist()), tuple(np.round(std, 6).tolist())


def _expected(name: str, train: Part, classes: tuple[str, ...]) -> tuple[int, int]:
    """Pixels and number of classes that a set called `name` has to have."""
    if name in KNOWN:
        return KNOWN[name].pixels, KNOWN[name].classes
    if len(classes) < 2:
        raise UserError(f"{name} has {len(classes)} classes; it takes 2 or more to tell apart")
    return check_pixels(train.images.shape[-1] if train.images.ndim else 0), len(classes)
