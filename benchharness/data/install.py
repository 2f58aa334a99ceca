"""Importing images that do not say what they are: a folder of images by class, under a name."""

from collections.abc import Callable
from pathlib import Path

from benchharness.data.importers import IMAGES, image_folder
from benchharness.data.kinds import RESERVED, canonical, check_pixels
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.io.catalog import Installed
from benchharness.io.files import path_of


def import_images(
    path: Path | str,
    name: str = "",
    size: int = image_folder.SIZE,
    flip: bool = True,
    say: Callable[[str], object] = lambda _: None,
) -> Installed:
    """Install the folder of images by class at `path` under `name`, by default its own name in lower case.

    Images become squares of `size` pixels; `flip` says whether their mirror images still are of their class, and `say`
    is given a sentence for whatever was left out, drawn or joined. Raises `UserError` where the folder is laid out
    otherwise, an image is damaged, or the name is another data set's.
    """
    path = path_of(path)
    called = name or "-".join(path.resolve().name.lower().split())
    if canonical(called) in RESERVED:
        raise UserError(f"{called!r} is the name of another data set or table; give this one its own with --name")
    if path.exists():
        for note in image_folder.files(path).notes:  # or what is wrong with the layout, before anything about the name
            say(note)
    return catalog.install_with(IMAGES, called, path, image_folder.ByClass(called, check_pixels(size), flip))
