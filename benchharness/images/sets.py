"""`ImageSet`: all images of a data set with their labels, and its file."""

import hashlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from benchharness import npz
from benchharness.errors import UserError

KIND: Final = "benchharness images"
FORMAT: Final = 1
LIMIT_BYTES: Final = 1 << 30
_ARRAYS: Final = ("train", "train_labels", "test", "test_labels")


class _Known(NamedTuple):
    title: str
    pixels: int
    classes: int
    counts: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


_KNOWN: Final = {
    "cifar10": _Known("CIFAR-10", 32, 10, (50_000, 10_000), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": _Known("CIFAR-100", 32, 100, (50_000, 10_000), (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "imagenet16-120": _Known(
        "ImageNet16-120", 16, 120, (151_700, 6_000), (0.4811, 0.4575, 0.4079), (0.2479, 0.2402, 0.2553)
    ),
}
NAMES: Final = tuple(_KNOWN)


class ImageSet(NamedTuple):
    """A data set; images are rows of (channels, height, width), labels count from 0 in the order of `classes`."""

    name: str
    label: str
    """What figures got on these images are to be called: it says where they differ from the official ones."""
    train: UInt8[np.ndarray, "images 3 height width"]
    train_labels: Int[np.ndarray, "images"]
    test: UInt8[np.ndarray, "tests 3 height width"]
    test_labels: Int[np.ndarray, "tests"]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel over the official training images, in units of full brightness (0 to 1)."""
    std: tuple[float, ...]
    sha256: str
    """Of all images and labels."""

    @classmethod
    def open(cls, path: Path | str) -> "ImageSet":
        """The images that `save` wrote to `path`; raises `UserError` where there are none."""
        header, arrays = npz.read(Path(path), KIND, LIMIT_BYTES)
        if header.get("format") != FORMAT:
            raise UserError(f"{path} holds images of format {header.get('format')!r}; this version reads {FORMAT}")
        values: dict[str, Any] = {name: arrays[name] for name in _ARRAYS if name in arrays}
        values |= {name: tuple(value) if isinstance(value, list) else value for name, value in header["about"].items()}
        if set(values) != set(cls._fields) or values["name"] not in NAMES:
            raise UserError(f"{path} is a damaged set of images: it holds {sorted(map(str, values))}")
        found = cls(**values)
        _check(found.name, Part(found.train, found.train_labels), Part(found.test, found.test_labels), found.classes)
        return found

    def save(self, path: Path | str) -> None:
        """Write the images to `path`, replacing what is there only once they are written whole."""
        values = self._asdict()
        arrays = {name: values.pop(name) for name in _ARRAYS}
        npz.write(Path(path), {"kind": KIND, "format": FORMAT, "about": values}, arrays)

    def checked(self) -> "ImageSet":
        """The set itself; raises `UserError` where its images do not have the checksum it states."""
        if _digest(*self[2:6]) != self.sha256:
            raise UserError(f"the images of {self.name} do not have their own checksum; import them again")
        return self


class Part(NamedTuple):
    """The training or the test images of a source."""

    images: UInt8[np.ndarray, "images 3 height width"]
    labels: Int[np.ndarray, "images"]


def build(name: str, train: Part, test: Part, classes: tuple[str, ...] = (), reencoded: str = "") -> ImageSet:
    """The set called `name` of these parts; `reencoded` names a lossy format the images have been through.

    Raises `UserError` where the images or labels are not of that data set's kind.
    """
    known = _KNOWN[name]
    classes = classes or tuple(map(str, range(known.classes)))
    _check(name, train, test, classes)
    counts = (len(train.labels), len(test.labels))
    marks = [reencoded] * bool(reencoded) + [f"{counts[0]} + {counts[1]} images"] * (counts != known.counts)
    label = f"{known.title} ({', '.join(marks)})" if marks else known.title
    return ImageSet(name, label, *train, *test, classes, known.mean, known.std, _digest(*train, *test))


def _check(name: str, train: Part, test: Part, classes: tuple[str, ...]) -> None:
    known = _KNOWN[name]
    for what, (images, labels) in (("training", train), ("test", test)):
        if images.dtype != np.uint8 or labels.dtype != np.int64:
            raise UserError(f"{what} images of {name} are {images.dtype}, labels {labels.dtype}; not uint8 and int64")
        if images.shape != (len(labels), 3, known.pixels, known.pixels) or len(labels) == 0:
            raise UserError(f"{what} images of {name} have shape {images.shape} for {len(labels)} labels")
        if labels.min() < 0 or labels.max() >= known.classes:
            raise UserError(f"{name} has labels 0 to {known.classes - 1}; got {labels.min()} to {labels.max()}")
    if len(classes) != known.classes:
        raise UserError(f"{name} has {known.classes} classes; got {len(classes)} names")


def _digest(*arrays: Any) -> str:
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype.str} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()
