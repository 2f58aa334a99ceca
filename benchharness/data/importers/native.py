"""Imports files of `ImageSet.save`, written on this machine or another."""

from pathlib import Path
from typing import Final

from benchharness.data.image_set import KIND, ImageSet
from benchharness.data.kinds import DIGITS
from benchharness.io import npz

LAYOUT: Final = "images in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name of the image set in the file at `path`; None if it is not such a file, or holds `digits`."""
    name = npz.name_in(path, KIND)
    return None if name == DIGITS else name


def read_source(path: Path) -> ImageSet:
    """The image set in the file at `path`; raises `UserError` if the images do not have their stated checksum."""
    return ImageSet.open(path).checked()
