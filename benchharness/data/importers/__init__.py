"""One module a layout of image data sets or split files: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from collections.abc import Sequence
from typing import Final

from benchharness.data.importers import native, split_file
from benchharness.io.sources import Importer, Kind


def _image_importers() -> Sequence[Importer]:
    from benchharness.data.importers import cifar, huggingface, image_folder, imagenet16

    return image_folder, cifar, huggingface, imagenet16, native


IMAGES: Final = Kind("images", "images", native, _image_importers)
SPLITS: Final = Kind("splits", "split file", split_file, lambda: (split_file,))
