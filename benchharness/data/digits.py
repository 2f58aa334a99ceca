"""The embedded data set `digits`: handwritten digits among clutter, for machines without other data.

It uses the 1,797 digits of 8x8 pixels that scikit-learn ships (test part of Alpaydin & Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository 1998, CC BY 4.0). Each image shows one whole digit at a random
position among pieces of other digits, with noise. The two halves of the training images, and the test images, are
rendered from disjoint sets of digits. Only integers are drawn, so the images are the same on every machine.
"""

from functools import cache
from importlib import resources
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from benchharness.data.image_set import ImageSet, build_image_set
from benchharness.data.kinds import Part

SIZE: Final = 12
"""Height and width of an image in pixels."""
CLUTTER: Final = 2
"""Number of pieces of other digits in an image."""
PIECE: Final = (3, 5)
"""Smallest and largest side of a piece, in pixels."""
NOISE: Final = 12
"""Every pixel gets the sum of two uniform draws from -NOISE to NOISE: a standard deviation of 9.8 grey levels."""
COUNTS: Final = (44_800, 44_800, 5_000)
"""Number of images in the first training half, the second training half, and the test set."""
_SOURCES: Final = (1197, 300, 300)
"""Number of digits from which each of these is rendered."""
_SIDE: Final = 8
_DARK, _BRIGHT, _DEPTH = 30, 200, 16


class Digits(NamedTuple):
    """Handwritten digits in 17 levels of grey, 0 to 16."""

    images: UInt8[np.ndarray, "digits 8 8"]
    labels: Int[np.ndarray, "digits"]


@cache
def digits() -> ImageSet:
    """The whole rendered data set: 89,600 training and 5,000 test images; takes two seconds."""
    source, rng = _source(), np.random.default_rng(1797)
    order = rng.permutation(len(source.labels))
    ends = np.cumsum(_SOURCES)
    pictures = [
        _render(Digits(source.images[labels_of_part], source.labels[labels_of_part]), count, rng)
        for labels_of_part, count in zip(np.split(order, ends[:-1]), COUNTS, strict=True)
    ]
    train = Part(*(np.concatenate(both) for both in zip(*pictures[:2], strict=True)))
    test = pictures[2]
    names = tuple(map(str, range(10)))
    return build_image_set("digits", train, test, names, label="Digits in clutter", flip=False, crop=0)


def _source() -> Digits:
    with resources.files("benchharness.data").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return Digits(arrays["images"], arrays["labels"].astype(np.int64))


def _render(source: Digits, count: int, rng: np.random.Generator) -> Part:
    """`count` images of the digits in `source`: grey, as three equal channels."""
    canvas = np.zeros((count, SIZE + 2 * _SIDE, SIZE + 2 * _SIDE), np.uint8)
    for _ in range(CLUTTER):
        first_digits = source.images[rng.integers(len(source.labels), size=count)] * _windows(count, rng)
        _lay(canvas, first_digits, rng.integers(-2, SIZE - 5, (2, count)))
    labels_index = rng.integers(len(source.labels), size=count)
    _lay(canvas, source.images[labels_index], rng.integers(0, SIZE - _SIDE + 1, (2, count)))
    ink = canvas[:, _SIDE:-_SIDE, _SIDE:-_SIDE].astype(np.int16)
    noise = rng.integers(-NOISE, NOISE + 1, (2, *ink.shape), dtype=np.int16).sum(0)
    grey = np.clip(_DARK + ink * _BRIGHT // _DEPTH + noise, 0, 255).astype(np.uint8)
    return Part(np.repeat(grey[:, None], 3, axis=1), source.labels[labels_index])


def _windows(count: int, rng: np.random.Generator) -> UInt8[np.ndarray, "pieces 8 8"]:
    """Masks that cut a piece out of each digit: a rectangle of random size and position."""
    sides = rng.integers(PIECE[0], PIECE[1] + 1, (2, count))
    starts = rng.integers(0, _SIDE - sides + 1)
    inside = [
        (np.arange(_SIDE) >= start[:, None]) & (np.arange(_SIDE) < (start + side)[:, None])
        for start, side in zip(starts, sides, strict=True)
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :]).astype(np.uint8)


def _lay(canvas: UInt8[np.ndarray, "images high wide"], ink: UInt8[np.ndarray, "images 8 8"], at: object) -> None:
    """Draw a digit or piece into every image, its corner at row and column `at`; the brighter of two pixels stays."""
    down, right = np.asarray(at) + _SIDE
    reach = np.arange(_SIDE)
    pixel_index = (
        np.arange(len(canvas))[:, None, None],
        (down[:, None] + reach)[:, :, None],
        (right[:, None] + reach)[:, None, :],
    )
    canvas[pixel_index] = np.maximum(canvas[pixel_index], ink)
