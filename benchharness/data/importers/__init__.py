"""One module a layout of image data sets: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from pathlib import Path

from benchharness.data.image_set import ImageSet


def check(path: Path) -> None:
    """Raise `UserError` where the images in our format at `path` are not those whose checksum they state."""
    ImageSet.open(path).checked()
