"""One module a layout of image data sets or split files: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchharness.data.image_set import ImageSet
from benchharness.data.importers import native, split_file
from benchharness.io.sources import Importer, Kind


def _image_importers() -> Sequence[Importer]:
    from benchharness.data.importers import cifar, huggingface, image_folder, imagenet16

    return image_folder, cifar, huggingface, imagenet16, native


def _check_images(path: Path) -> None:
    ImageSet.open(path).checked()


def _check_split(path: Path) -> None:
    split_file.read_source(path)


IMAGES: Final = Kind("images", "images", native, _image_importers, _check_images)
SPLITS: Final = Kind("splits", "split file", split_file, lambda: (split_file,), _check_split)
