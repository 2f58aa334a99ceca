"""Finding an installed image set by its name."""

from benchharness import folder
from benchharness.errors import unknown
from benchharness.images.sets import NAMES, ImageSet


def load_images(name: str) -> ImageSet:
    """The images called `name` (`cifar10`, `cifar100`, `imagenet16-120`), all in memory.

    Raises `UserError` for another name, and where the images are missing: it says which command brings them.
    """
    if name not in NAMES:
        raise unknown("data set", name, NAMES)
    return ImageSet.open(folder.find("images", name))
