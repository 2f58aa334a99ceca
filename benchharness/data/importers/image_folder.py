"""Images of one's own as most tools keep them: a folder of files a class, apart for training and testing or not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchharness.data.decoding import FORMATS, SUFFIXES, square
from benchharness.data.image_set import LIMIT_BYTES, ImageSet, build
from benchharness.data.kinds import Part, check_pixels
from benchharness.errors import UserError
from benchharness.io.progress import shown

LAYOUT: Final = (
    "a folder of images by class (PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or PATH/CLASS/*.png; "
    f"{', '.join(FORMATS)})"
)
SIZE: Final = 32
"""Pixels that images are resized to unless told otherwise."""
_TESTS: Final = ("test", "val", "valid")
_SEED: Final = 2011
"""Of the order of the images and of those drawn for testing, so that the same folder gives the same set."""
_SHARE: Final = 5
"""One in so many images of a class becomes a test image where the folder has none apart."""
_CLASSES_LIMIT: Final = 1000


class Files(NamedTuple):
    """The image files of a folder by class."""

    train: Mapping[str, list[Path]]
    test: Mapping[str, list[Path]]
    drawn: bool
    """Whether those for testing were drawn here, as the folder has none apart."""


class ByClass:
    """Reads such a folder under a name, to images of a size; an importer as `folder` knows them."""

    def __init__(self, name: str, size: int = SIZE, flip: bool = True) -> None:
        self.LAYOUT, self.name, self.size, self.flip = LAYOUT, name, size, flip

    def recognises(self, path: Path) -> str | None:
        """The name, as what is at `path` is taken for such a folder."""
        return self.name if path.is_dir() else None

    def read(self, path: Path) -> ImageSet:
        """The images in the folder `path`, square and shuffled.

        Raises `UserError` where it is laid out otherwise, has too few or too many images, or one is damaged.
        """
        pixels, held = check_pixels(self.size), files(path)
        _limit(path, held, pixels)
        classes = tuple(held.train)
        drawn = np.random.default_rng(_SEED)
        train, test = (_part(part, classes, pixels, drawn) for part in (held.train, held.test))
        said = " (a fifth of the images drawn as test images)" if held.drawn else ""
        return build(self.name, train, test, classes, label=self.name + said, flip=self.flip, crop=pixels // 8)


def recognises(path: Path) -> str | None:  # noqa: ARG001
    """None: whatever lies in a data folder is not taken for images by class, only what is imported as such is."""
    return None


def read(path: Path) -> ImageSet:
    """The images in the folder `path` under its own name, 32x32."""
    return ByClass(path.name).read(path)


def holds(path: Path) -> bool:
    """Whether `path` looks like such a folder; raises nothing."""
    try:
        return bool(files(path))
    except (UserError, OSError):
        return False


def files(path: Path) -> Files:
    """The image files in the folder `path`; raises `UserError` where it is not laid out by class."""
    tests = [name for name in _TESTS if (path / name).is_dir()]
    if (path / "train").is_dir() and tests:
        train, test = _by_class(path / "train"), _by_class(path / tests[0])
        if other := sorted(set(test) - set(train)):
            raise UserError(f"{path / tests[0]} has a class {other[0]!r} that {path / 'train'} has not")
        return Files(train, test, drawn=False)
    drawn, train, test = np.random.default_rng(_SEED), {}, {}
    for name, own in _by_class(path).items():
        if len(own) < 2:
            raise UserError(f"{path / name} has one image; a class needs one to train on and one to test on")
        chosen = set(drawn.permutation(len(own))[: max(1, len(own) // _SHARE)].tolist())
        test[name] = [own[place] for place in sorted(chosen)]
        train[name] = [file for place, file in enumerate(own) if place not in chosen]
    return Files(train, test, drawn=True)


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """Image files by the name of the folder they are in, both in alphabetical order."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder of images by class")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(inner) > _CLASSES_LIMIT:
        raise UserError(f"{folder} has {len(inner)} folders; at most {_CLASSES_LIMIT} classes are read")
    found = {path.name: sorted(_images(path)) for path in inner}
    if empty := [name for name, own in found.items() if not own]:
        raise UserError(f"{folder / empty[0]} holds no images; known endings: {', '.join(SUFFIXES)}")
    if len(found) < 2:
        raise UserError(f"{folder} has {len(found)} folders of images; it takes 2 classes or more")
    return found


def _images(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            yield path


def _limit(path: Path, held: Files, pixels: int) -> None:
    count = sum(len(own) for part in held[:2] for own in part.values())
    room = (LIMIT_BYTES - (1 << 24)) // (3 * pixels**2 + 8)
    if count > room:
        raise UserError(
            f"{path} has {count} images; at {pixels}x{pixels} pixels at most {room} are taken: try a smaller --size"
        )


def _part(
    by_class: Mapping[str, list[Path]], classes: tuple[str, ...], pixels: int, drawn: np.random.Generator
) -> Part:
    """All images of a part, shuffled: searches take the first half of the training images for the weights."""
    listed = [(file, classes.index(name)) for name, own in by_class.items() for file in own]
    listed = [listed[place] for place in drawn.permutation(len(listed))]
    images = np.empty((len(listed), 3, pixels, pixels), np.uint8)
    for place, (file, _) in enumerate(shown(listed, len(listed), "reading images")):
        images[place] = square(file, pixels)
    return Part(images, np.array([label for _, label in listed], np.int64))
