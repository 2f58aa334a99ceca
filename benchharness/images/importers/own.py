"""Images that `ImageSet.save` wrote, on this machine or another."""

from pathlib import Path
from typing import Final

from benchharness import npz
from benchharness.images.sets import KIND, NAMES, ImageSet

LAYOUT: Final = "images in the format of benchharness (.npz)"


def recognises(path: Path) -> str | None:
    """The name of the images in the file at `path`, None where it is no such file."""
    header = npz.header(path, KIND)
    name = header.get("about", {}).get("name")
    return name if name in NAMES else None


def read(path: Path) -> ImageSet:
    """The images in the file at `path`; raises `UserError` where they do not have the checksum they state."""
    return ImageSet.open(path).checked()
