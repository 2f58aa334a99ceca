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


def convert(path: Path, target: Path) -> None:
    """Write the images in the file at `path` to `target`, once more and checked."""
    images = ImageSet.open(path)
    images.check()
    images.save(target)
