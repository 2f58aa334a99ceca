"""Importers of image sets and split files: one module per layout, with `LAYOUT`, `recognises` and `read_source`."""

from collections.abc import Sequence
from typing import Final

from benchharness.data.importers import native, split_file
from benchharness.io.sources import Importer, Kind


def _image_importers() -> Sequence[Importer]:
    from benchharness.data.importers import cifar, huggingface, image_folder, imagenet16

    return image_folder, cifar, huggingface, imagenet16, native


IMAGES: Final = Kind("images", "images", native, _image_importers)
SPLITS: Final = Kind("splits", "split file", split_file, lambda: (split_file,))
