"""A small image data set that can be learnt, for tests that search."""

import numpy as np

from benchharness.data import ImageSet
from benchharness.data.loader import Stream

SIZE = 16


def small_images(count: int = 400, name: str = "cifar10", classes: int = 10) -> ImageSet:
    """Noise around a brightness that tells the class; `count` training images and half as many test images."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, count + count // 2)
    noise = random.integers(0, 120, (len(labels), 3, SIZE, SIZE))
    pixels = (noise + 12 * labels[:, None, None, None]).astype(np.uint8)
    names = tuple(f"class {number}" for number in range(classes))
    train, test = (pixels[:count], labels[:count]), (pixels[count:], labels[count:])
    return ImageSet(name, f"small {name}", *train, *test, names, (0.4, 0.4, 0.4), (0.2, 0.2, 0.2), "0" * 64)


def as_doubles(stream: Stream) -> None:
    """Have `stream` give images in double precision."""
    for half in (stream.train, stream.valid):
        half.mean, half.std = half.mean.double(), half.std.double()
