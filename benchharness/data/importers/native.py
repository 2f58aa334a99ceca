"""Images that `ImageSet.save` wrote, on this machine or another."""

from pathlib import Path
from typing import Final

from benchharness.data.image_set import KIND, ImageSet
from benchharness.data.kinds import DIGITS
from benchharness.io import npz

LAYOUT: Final = "images in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name of the images in the file at `path`, None where it is no such file, or one of the package's own."""
    name = npz.header(path, KIND).get("about", {}).get("name")
    return name if isinstance(name, str) and name != DIGITS else None


def read_source(path: Path) -> ImageSet:
    """The images in the file at `path`; raises `UserError` where they do not have the checksum they state."""
    return ImageSet.open(path).checked()
