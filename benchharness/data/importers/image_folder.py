"""Imports a folder of image files by class, with or without separate folders for training and test images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchharness.data.decoding import FORMATS, SUFFIXES, depth, square
from benchharness.data.image_set import LIMIT_BYTES, ImageSet, build_image_set
from benchharness.data.kinds import Part, check_pixels
from benchharness.errors import UserError
from benchharness.io.progress import with_bar

LAYOUT: Final = (
    "a folder of images by class (PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or PATH/CLASS/*.png; "
    f"{', '.join(FORMATS)})"
)
SIZE: Final = 32
"""Default height and width in pixels to which images are resized."""
_PARTS: Final = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation"),
}
"""Names, in any case, of folders that hold the classes of the training, test or validation images."""
_NAMED: Final = 5
"""Number of files that a note names if files were left out."""
_SEED: Final = 2011
"""Seed of the order of the images and of the draw of test images, so that one folder always gives one image set."""
_SHARE: Final = 5
"""One in so many images of a class becomes a test image if the folder has no test images."""
_CLASSES_LIMIT: Final = 1000


class Files(NamedTuple):
    """The image files of a folder by class."""

    train: Mapping[str, list[Path]]
    test: Mapping[str, list[Path]]
    notes: tuple[str, ...] = ()
    """A sentence for everything that was left out, drawn or merged."""
    mark: str = ""
    """The part of the notes that belongs to the image set's label."""


class ByClass:
    """An importer that reads such a folder under a given name, with images of a given size."""

    def __init__(self, name: str, size: int = SIZE, flip: bool = True) -> None:
        self.LAYOUT, self.name, self.size, self.flip = LAYOUT, name, size, flip

    def recognises(self, path: Path) -> str | None:
        """The given name; `path` is always taken for such a folder."""
        return self.name if path.is_dir() else None

    def read_source(self, path: Path) -> ImageSet:
        """The images in the folder `path`, resized to squares and shuffled.

        Raises `UserError` if it has another layout, has too few or too many images, or an image is damaged.
        """
        pixels, listing = check_pixels(self.size), files(path)
        _limit(path, listing, pixels)
        classes = tuple(listing.train)
        rng = np.random.default_rng(_SEED)
        bits = depth(file for by_class in listing[:2] for class_files in by_class.values() for file in class_files)
        train, test = (_part(by_class, classes, pixels, bits, rng) for by_class in listing[:2])
        label = self.name + (f" ({listing.mark})" if listing.mark else "")
        return build_image_set(self.name, train, test, classes, label=label, flip=self.flip, crop=pixels // 8)


def recognises(path: Path) -> str | None:  # noqa: ARG001
    """None: folders in the data folder are never taken for images by class; only `import_images` reads such folders."""
    return None


def read_source(path: Path) -> ImageSet:
    """The images in the folder `path`, resized to 32x32, under the folder's name."""
    return ByClass(path.name).read_source(path)


def holds(path: Path) -> bool:
    """Whether `path` looks like such a folder, perhaps with errors in it; raises nothing."""
    try:
        return path.is_dir() and bool(_parts(path) or files(path))
    except (UserError, OSError):
        return False


def files(path: Path) -> Files:
    """The image files in the folder `path` by class; raises `UserError` if it has another layout."""
    folders = _parts(path)
    if not folders:
        return _with_drawn_test(path, path, ())
    train, *others = (folders.get(name) for name in _PARTS)
    other_folders = [folder for folder in others if folder]
    notes = _strangers(path, set(folders.values()))
    if train is None:
        raise UserError(f"{path} has a folder {other_folders[0].name!r} but no folder 'train' with training images")
    if not other_folders:
        return _with_drawn_test(path, train, notes)
    train_files, *rest = (_by_class(folder, 2 if folder == train else 1) for folder in (train, *other_folders))
    for folder, split in zip(other_folders, rest, strict=True):
        if other := sorted(set(split) - set(train_files)):
            raise UserError(f"{folder} has a class {other[0]!r} that {train} lacks")
    notes += tuple(note for folder in (train, *other_folders) for note in _left_out(folder))
    if len(other_folders) == 1:
        note_on_test = (
            ()
            if other_folders[0].name.lower() in _PARTS["test"]
            else (f"the images in {other_folders[0].name} are the test images",)
        )
        return Files(train_files, rest[0], notes + note_on_test)
    test, valid = rest
    all_training = {name: class_files + valid.get(name, []) for name, class_files in train_files.items()}
    valid_name = other_folders[1].name
    note = f"the images in {valid_name} join those in {train.name}: searches halve the training images themselves"
    return Files(all_training, test, (*notes, note), f"{train.name} and {valid_name} joined")


def _parts(path: Path) -> dict[str, Path]:
    """The folders in `path` that hold the classes of the training, test or validation images, by part."""
    folders: dict[str, Path] = {}
    for folder in _folders(path) if path.is_dir() else ():
        split = next((split for split, names in _PARTS.items() if folder.name.lower() in names), "")
        if split and _folders(folder):  # without folders in it, it is a class of that name
            if split in folders:
                raise UserError(
                    f"{path} has both {folders[split].name!r} and {folder.name!r}; which holds the {split} images?"
                )
            folders[split] = folder
    return folders


def _with_drawn_test(path: Path, train: Path, notes: tuple[str, ...]) -> Files:
    """The images by class in `train`, with a part of them drawn as test images."""
    rng, training, test = np.random.default_rng(_SEED), {}, {}
    for name, class_files in _by_class(train).items():
        if len(class_files) < 2:
            raise UserError(f"{train / name} has one image; a class needs one to train on and one to test on")
        test_positions = set(rng.permutation(len(class_files))[: max(1, len(class_files) // _SHARE)].tolist())
        test[name] = [class_files[position] for position in sorted(test_positions)]
        training[name] = [file for position, file in enumerate(class_files) if position not in test_positions]
    note = f"{path} has no test images apart: a fifth of each class was drawn as such"
    return Files(training, test, (*notes, *_left_out(train), note), "a fifth of the images drawn as test images")


def _by_class(folder: Path, least: int = 2) -> dict[str, list[Path]]:
    """Image files by the name of their folder, both in alphabetical order."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder of images by class")
    inner = _folders(folder)
    if len(inner) > _CLASSES_LIMIT:
        raise UserError(f"{folder} has {len(inner)} folders; at most {_CLASSES_LIMIT} classes are read")
    by_class = {path.name: sorted(filter(_is_image, path.iterdir())) for path in inner}
    if empty := [name for name, class_files in by_class.items() if not class_files]:
        raise UserError(f"{folder / empty[0]} holds no images; known endings: {', '.join(SUFFIXES)}")
    if len(by_class) < least:
        raise UserError(f"{folder} has {len(by_class)} folders of images; a data set needs 2 classes or more")
    return by_class


def _folders(path: Path) -> list[Path]:
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and not _is_hidden(folder))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path)


def _is_hidden(path: Path) -> bool:
    """Whether the file was left by an operating system or an archiver."""
    return path.name.startswith((".", "__MACOSX")) or path.name.lower() in ("thumbs.db", "desktop.ini")


def _strangers(path: Path, split_folders: set[Path]) -> tuple[str, ...]:
    """A note on files and folders of `path` that belong to none of `split_folders`; empty if there are none."""
    others = [entry.name for entry in _folders(path) if entry not in split_folders]
    others += [entry.name for entry in sorted(path.iterdir()) if _is_image(entry) and entry.is_file()]
    return (f"left out of {path}: {_listed(others)}",) if others else ()


def _left_out(folder: Path) -> tuple[str, ...]:
    """Notes on entries of `folder` that are not classes, and on files in classes that are not images."""
    loose_images = [entry.name for entry in folder.iterdir() if entry.is_file() and _is_image(entry)]
    inside = [
        f"{entry.name}/{item.name}"
        for entry in _folders(folder)
        for item in entry.iterdir()
        if not _is_image(item) and not _is_hidden(item)
    ]
    others = sorted([*loose_images, *inside])
    return (f"left out of {folder}: {_listed(others)}",) if others else ()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _limit(path: Path, listing: Files, pixels: int) -> None:
    count = sum(len(class_files) for by_class in listing[:2] for class_files in by_class.values())
    room = (LIMIT_BYTES - (1 << 24)) // (3 * pixels**2 + 8)
    if count > room:
        raise UserError(
            f"{path} has {count} images; at {pixels}x{pixels} pixels at most {room} are taken: try a smaller --size"
        )


def _part(
    by_class: Mapping[str, list[Path]], classes: tuple[str, ...], pixels: int, bits: int, rng: np.random.Generator
) -> Part:
    """All images of a part, shuffled, as searches train the weights on the first half of the training images."""
    labelled_files = [(file, classes.index(name)) for name, class_files in by_class.items() for file in class_files]
    labelled_files = [labelled_files[position] for position in rng.permutation(len(labelled_files))]
    images = np.empty((len(labelled_files), 3, pixels, pixels), np.uint8)
    for position, (file, _) in enumerate(with_bar(labelled_files, len(labelled_files), "reading images")):
        images[position] = square(file, pixels, bits)
    return Part(images, np.array([label for _, label in labelled_files], np.int64))
