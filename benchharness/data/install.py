"""Imports a user's folder of images by class under a name."""

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
    """Install the folder of images by class at `path` under `name` (default: the folder's name in lower case).

    Images are resized to `size` x `size` pixels; `flip`: whether training mirrors them. `say` is called with a sentence
    for everything that was left out, drawn or merged. Raises `UserError` if the folder has another layout, an image is
    damaged, or the name belongs to another data set.
    """
    path = path_of(path)
    set_name = name or "-".join(path.resolve().name.lower().split())
    if canonical(set_name) in RESERVED:
        raise UserError(f"{set_name!r} is the name of another data set or table; give this one its own with --name")
    if path.exists():
        for note in image_folder.files(path).notes:  # an error in the layout is raised before one in the name
            say(note)
    return catalog.install_with(IMAGES, set_name, path, image_folder.ByClass(set_name, check_pixels(size), flip))
